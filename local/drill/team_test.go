package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestRefusalsHaveAStatusAndACode(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"code":"%s %s"}`, r.Header.Get("Authorization"), r.Header.Get("X-App-Id"))
	}))
	t.Cleanup(server.Close)
	by := client{base: server.URL}.as("secret").in("chosen")
	storetest.OK(t, "refused", by.refused(t.Context(), http.MethodGet, "/", nil, http.StatusForbidden, "Bearer secret chosen"))
	storetest.OK(t, "without a credential", by.as("").refused(t.Context(), http.MethodGet, "/", nil, http.StatusForbidden, " "))
	if by.refused(t.Context(), http.MethodGet, "/", nil, http.StatusNotFound, "Bearer secret chosen") == nil {
		t.Error("another status is the refusal")
	}
	if by.refused(t.Context(), http.MethodGet, "/", nil, http.StatusForbidden, "app_deleted") == nil {
		t.Error("another code is the refusal")
	}
}

func TestTheTokenOfTheRightMail(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if asked == 1 || r.URL.Query().Get("to") != "a+b@example.com" {
			fmt.Fprint(w, `{"mails":[]}`)
			return
		}
		fmt.Fprint(w, `{"mails":[{"text":"http://x/link#action=reset&token=A1\n"},{"text":"http://x/link#action=confirm&token=B2&x=1\n"}]}`)
	}))
	t.Cleanup(server.Close)
	token, err := mailbox(server.URL).token(t.Context(), "a+b@example.com", "confirm")
	if err != nil || token != "B2" {
		t.Errorf("%q, %v", token, err)
	}
}

func TestCodesAreOfEverLaterSteps(t *testing.T) {
	a := &authenticator{secret: strings.Repeat("A", 32)}
	var last time.Time
	for range 3 { // those that need no waiting
		code, err := a.next(t.Context())
		storetest.OK(t, "next", err)
		want, err := totp.GenerateCode(a.secret, a.last)
		storetest.OK(t, "code", err)
		if code != want || code != a.code || !a.last.After(last) || time.Until(a.last) > period {
			t.Errorf("code %s of %s after %s", code, a.last, last)
		}
		last = a.last
	}
}
