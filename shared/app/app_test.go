package app_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/app"
)

func TestAllowsOrigin(t *testing.T) {
	chat := app.App{Settings: app.Settings{
		Origins: []string{"https://chat.example.com", "http://localhost:*", "https://example.com:8443"}}}
	for origin, want := range map[string]bool{
		"https://chat.example.com":              true,
		"https://example.com:8443":              true,
		"http://localhost":                      true,
		"http://localhost:5173":                 true,
		"http://localhost:80":                   true,
		"":                                      false,
		"null":                                  false,
		"*":                                     false,
		"https://localhost:5173":                false,
		"http://localhost.evil.example":         false,
		"http://localhost:5173.evil.example":    false,
		"http://localhost:80@evil.example":      false,
		"http://evil.example/localhost:80":      false,
		"http://localhost:*":                    true, // no browser sends it
		"http://localhost:5173/":                false,
		"https://chat.example.com:444":          false,
		"http://chat.example.com":               false,
		"https://chat.example.com.evil.example": false,
		"https://evil-chat.example.com":         false,
		"https://example.com":                   false,
		"HTTPS://chat.example.com":              false, // browsers send lower case
	} {
		if got := chat.AllowsOrigin(origin); got != want {
			t.Errorf("AllowsOrigin(%q) = %v, want %v", origin, got, want)
		}
	}
	if (app.App{}).AllowsOrigin("https://chat.example.com") {
		t.Error("an app without origins allows one")
	}
}
