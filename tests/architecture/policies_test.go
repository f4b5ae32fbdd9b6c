package architecture

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/template"
)

// actionsOfService are the IAM actions that our packages use, by service; a new one has to be entered here on purpose.
var actionsOfService = map[string][]string{
	"dynamodb": {"BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"},
	"kms":      {"Decrypt", "GenerateDataKey"},
	"lambda":   {"InvokeFunction"},
	"s3":       {"DeleteObject", "GetObject", "ListBucket", "PutObject"},
	"ses":      {"SendEmail"},
	"sqs":      {"SendMessage"},
	// One action covers post, get and delete; the resource names the method.
	"execute-api": {"ManageConnections"},
}

// What functions really do is held to their policies by tests/privilege, after the conformance suite.
func TestPoliciesAllowNamedActionsOnly(t *testing.T) {
	for _, f := range loadTemplate(t).Functions {
		for _, statement := range f.Policies {
			if statement.Effect != "Allow" {
				t.Errorf("%s: a statement with effect %q; roles start with nothing", f.Name, statement.Effect)
			}
			for _, action := range statement.Actions {
				service, name, _ := strings.Cut(action, ":")
				if !slices.Contains(actionsOfService[service], name) {
					t.Errorf("%s may %s, which is not in policies_test.go (no wildcards, never a Scan)", f.Name, action)
				}
			}
		}
	}
}

// TestTablePoliciesNameOneTable keeps statements narrow: one table or index of the template each, and queries of an index
// apart from the rest of its table.
func TestTablePoliciesNameOneTable(t *testing.T) {
	tpl := loadTemplate(t)
	targets := tableARNs(tpl)
	for _, f := range tpl.Functions {
		seen := map[string]bool{}
		for _, statement := range f.Policies {
			if !strings.HasPrefix(statement.Actions[0], "dynamodb:") {
				continue
			}
			if len(statement.Resources) != 1 || !slices.Contains(targets, statement.Resources[0]) {
				t.Errorf("%s: a statement for %v, which is not one table or index of the template", f.Name, statement.Resources)
				continue
			}
			target := statement.Resources[0]
			if len(statement.Condition) > 0 { // narrows what one action may touch, beside the statement of the others
				continue
			}
			if seen[target] {
				t.Errorf("%s: two statements for %s", f.Name, target)
			}
			seen[target] = true
			if strings.Contains(target, "/index/") && !slices.Equal(statement.Actions, []string{"dynamodb:Query"}) {
				t.Errorf("%s: an index can only be queried, not %v", f.Name, statement.Actions)
			}
		}
	}
}

// tableARNs returns the ARNs of the template's tables and indexes, as the laptop runner makes them.
func tableARNs(tpl *template.Template) []string {
	var all []string
	for _, table := range tpl.Tables {
		arn := strings.Join([]string{"arn", template.Partition, "dynamodb", template.Region, template.Account, "table/" + table.Name}, ":")
		all = append(all, arn)
		for _, index := range table.Create.GlobalSecondaryIndexes {
			all = append(all, arn+"/index/"+*index.IndexName)
		}
	}
	return all
}

// TestPoliciesCoverTheTablesOfTheEnvironment: a function that is told a table's name is allowed to do something with it,
// and with no other table.
func TestPoliciesCoverTheTablesOfTheEnvironment(t *testing.T) {
	tpl := loadTemplate(t)
	for _, f := range tpl.Functions {
		var allowed, named []string
		for _, statement := range f.Policies {
			if _, table, ok := strings.Cut(statement.Resources[0], ":table/"); ok {
				table, _, _ = strings.Cut(table, "/")
				allowed = append(allowed, table)
			}
		}
		for variable, table := range f.Environment {
			if strings.HasPrefix(variable, "TABLE_") {
				named = append(named, table)
			}
		}
		same(t, f.Name+"'s policies", allowed, "its environment", named)
	}
}

// TestOtherPoliciesNameTheirTarget: what is no table is one key, one function, or the connections of the one API.
func TestOtherPoliciesNameTheirTarget(t *testing.T) {
	tpl := loadTemplate(t)
	for _, f := range tpl.Functions {
		for _, statement := range f.Policies {
			for _, resource := range statement.Resources {
				if !namesTarget(tpl, statement.Actions[0], resource) {
					t.Errorf("%s may %v on %s, which is too wide or unknown", f.Name, statement.Actions, resource)
				}
			}
		}
	}
}

func namesTarget(tpl *template.Template, action, resource string) bool {
	switch service, _, _ := strings.Cut(action, ":"); service {
	case "dynamodb":
		return true // see above
	case "kms":
		return strings.Contains(resource, ":key/") && !strings.Contains(resource, "*")
	case "lambda":
		name := resource[strings.LastIndexByte(resource, ':')+1:]
		return slices.ContainsFunc(tpl.Functions, func(f *template.Function) bool { return name == f.Name || name == f.Alias })
	case "sqs":
		name := resource[strings.LastIndexByte(resource, ':')+1:]
		return tpl.Queue(name) != nil
	case "s3":
		bucket, _, _ := strings.Cut(resource, "/")
		return slices.ContainsFunc(tpl.Buckets, func(b *template.Bucket) bool { return b.ARN() == bucket })
	case "ses":
		return strings.HasSuffix(resource, ":identity/*") // the sender is named by the condition; see the next test
	case "execute-api":
		return strings.Contains(resource, ":"+tpl.WebSocket.ID+"/"+tpl.WebSocket.Stage+"/") &&
			strings.HasSuffix(resource, "/@connections/*")
	}
	return false
}

// TestConditionsNarrowWhatTheyShould: functions on the hot path may write down that a key, a user or a session was used and
// may change nothing else of any; the mail function writes as one sender.
func TestConditionsNarrowWhatTheyShould(t *testing.T) {
	tpl := loadTemplate(t)
	for _, f := range tpl.Functions {
		for _, statement := range f.Policies {
			update := slices.Contains(statement.Actions, "dynamodb:UpdateItem")
			session := update && strings.HasSuffix(statement.Resources[0], "/accounts-table") && f.Environment["TABLE_USERS"] != "" && f.Name != "TasksFunction"
			key := update && strings.HasSuffix(statement.Resources[0], "/keys-table") &&
				!slices.Contains([]string{"KeysFunction", "AppsFunction", "RolesFunction", "GrantsFunction", "TasksFunction"}, f.Name) // which change keys
			user := update && strings.HasSuffix(statement.Resources[0], "/users-table") &&
				!slices.Contains([]string{"TokensFunction", "GrantsFunction", "UsersFunction", "UserJobsFunction"}, f.Name) // which change users
			if (session || key || user) && !slices.Contains([]string{"[pk sk seen]", "[pk sk used used_at used_from]", "[pk used]"},
				fmt.Sprint(statement.Condition["ForAllValues:StringEquals"]["dynamodb:Attributes"])) {
				t.Errorf("%s may change more of %s than when it was used: %v", f.Name, statement.Resources[0], statement.Condition)
			}
			if slices.Contains(statement.Actions, "ses:SendEmail") && len(statement.Condition["StringEquals"]["ses:FromAddress"]) != 1 {
				t.Errorf("%s may write as anybody", f.Name)
			}
		}
	}
}
