package password_test

import (
	"context"
	"fmt"

	"github.com/tokenim/tokenim/shared/password"
)

// A password is checked when it is set, and verified whenever it is given.
func Example() {
	ctx, text := context.Background(), "correct horse battery staple"
	if err := password.Check(text, false, "ann.lee@example.com", "Ann Lee"); err != nil {
		fmt.Println(err)
	}
	hash, err := password.Hash(ctx, text)
	fmt.Println(hash[:31], err)
	fmt.Println(password.Verify(ctx, hash, text))
	fmt.Println(password.Verify(ctx, password.Dummy(), text)) // nobody has this address: the same work, and no
	// Output:
	// $argon2id$v=19$m=19456,t=2,p=1$ <nil>
	// true <nil>
	// false <nil>
}

// A refusal says what to do.
func ExampleCheck() {
	fmt.Println(password.Check("secret", false))
	fmt.Println(password.Check("passwordpassword", false))
	fmt.Println(password.Check("ann.lee.example", false, "ann.lee@example.com"))
	// Output:
	// password_too_short: The password is too short; the least is 15 characters.
	// password_common: The password is one of the commonest passwords, or a repetition of one, so it is among the first that are guessed.
	// password_own_words: The password is built from the account's own words, such as its name or e-mail address.
}
