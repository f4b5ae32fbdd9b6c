package id_test

import (
	"fmt"

	"github.com/tokenim/tokenim/shared/id"
)

// Both users know the ID of their conversation without asking.
func ExamplePair() {
	app, ann, bob := id.StoredApp("app_0000000000000000"), id.User("u_0000000000000000000ann"), id.User("u_0000000000000000000bob")
	fmt.Println(id.Pair(app, ann, bob))
	fmt.Println(id.Pair(app, bob, ann))
	// Output:
	// c_6UnleZTbaQKrHTQQAqpo8l
	// c_6UnleZTbaQKrHTQQAqpo8l
}
