package letter

import (
	"fmt"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/mail"
)

// roles are the names of the roles; one that is missing here is shown as it is.
var roles = map[string]fault.Text{
	"owner":   {EN: "owner", ZH: "所有者（owner）"},
	"admin":   {EN: "admin", ZH: "管理员（admin）"},
	"auditor": {EN: "auditor", ZH: "审计员（auditor）"},
}

// timeLayout writes a time in UTC.
var timeLayout = fault.Text{EN: "2 January 2006, 15:04 UTC", ZH: "2006年1月2日 15:04 UTC"}

// valuesOf returns what fills the kind's text: the values that it needs, each in words and harmless, and no others.
func valuesOf(kind mail.Kind, language fault.Language, content mail.Content) (map[string]string, error) {
	values := map[string]string{}
	for _, need := range mail.Needs(kind) {
		value := valueOf(need, kind, language, content)
		if value == "" {
			return nil, fmt.Errorf("mail %s: the content has no valid %s", kind, need)
		}
		values[need] = value
	}
	return values, nil
}

// valueOf returns one value in words, empty where the content lacks it.
func valueOf(need string, kind mail.Kind, language fault.Language, content mail.Content) string {
	switch need {
	case "Link":
		return link(content.Link)
	case "Source":
		return filled(content.Source, source)
	case "Account":
		return filled(content.Account, Name)
	case "App":
		return filled(content.App, Name)
	case "Key":
		return filled(content.Key, func(id string) string { return keyOf(plain(id), content.Name) })
	case "Role":
		return filled(content.Role, func(role string) string { return roleOf(role, language) })
	case "Email":
		return filled(content.Email, func(email string) string { return emailOf(email, kind) })
	case "When":
		return timeOf(content.When, language)
	case "Until":
		return timeOf(content.Until, language)
	}
	return ""
}

// filled says the value in words, unless it is missing.
func filled(value string, say func(string) string) string {
	if value == "" {
		return ""
	}
	return say(value)
}

func keyOf(id, name string) string {
	if name == "" {
		return id
	}
	return Name(name) + " (" + id + ")"
}

func roleOf(role string, language fault.Language) string {
	if text, ok := roles[role]; ok {
		return text.In(language)
	}
	return plain(role)
}

// emailOf masks the new address of a login: whoever reads the old mailbox need not learn it.
func emailOf(email string, kind mail.Kind) string {
	if kind == mail.EmailChanged {
		email = Mask(email)
	}
	return address(email)
}

func timeOf(moment time.Time, language fault.Language) string {
	if moment.IsZero() {
		return ""
	}
	return moment.UTC().Format(timeLayout.In(language))
}
