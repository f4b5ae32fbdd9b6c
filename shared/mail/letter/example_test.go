package letter_test

import (
	"fmt"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/mail"
	"github.com/tokenim/tokenim/shared/mail/letter"
)

func Example() {
	message, err := letter.Render(mail.AppErased, fault.English, "ann@mail.example", mail.Content{
		App: "shop.example", When: time.Date(2026, 11, 3, 14, 5, 0, 0, time.UTC)})
	if err != nil {
		panic(err)
	}
	fmt.Println(message.Subject)
	fmt.Println(message)
	// Output:
	// The TokenIM app “shop·example” was erased
	// (mail app_erased in en)
}
