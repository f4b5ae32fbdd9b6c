package apikey_test

import (
	"fmt"
	"strings"

	"github.com/tokenim/tokenim/shared/apikey"
)

// A key shows its ID and ends with a checksum.
func ExampleFormat() {
	fmt.Println(apikey.Format("key_exampleApp000000firstKey00", strings.Repeat("s", 43)))
	// Output:
	// tk_exampleApp000000firstKey00_sssssssssssssssssssssssssssssssssssssssssss3q9QCj
}

// A mistyped key is found out without a look at the table.
func ExampleParse() {
	text := apikey.Format("key_exampleApp000000firstKey00", strings.Repeat("s", 43))
	secret, err := apikey.Parse(text)
	fmt.Println(secret.ID, secret.ID.App(), err)
	_, err = apikey.Parse(strings.Replace(text, "first", "First", 1))
	fmt.Println(err)
	// Output:
	// key_exampleApp000000firstKey00 app_exampleApp000000 <nil>
	// api_key_malformed: The API key does not have the right form or fails its checksum, so it was mistyped or cut.
}
