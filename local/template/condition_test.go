package template_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/template"
)

const conditional = `
Parameters:
  Mail: {Type: String, Default: ""}
  Domain: {Type: String, Default: ""}
Conditions:
  MailSet: !Not [!Equals [!Ref Mail, ""]]
  DomainSet: !Not [!Equals [!Ref Domain, ""]]
  Both: !And [!Condition MailSet, !Condition DomainSet]
  Either: !Or [!Condition MailSet, !Condition DomainSet, !Equals [!Sub "${AWS::Region}", nowhere]]
Resources:
  HttpApi: {Type: AWS::Serverless::HttpApi}
  Queue: {Type: AWS::SQS::Queue}
  Mailer:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/mailer/
      FunctionName: !Sub "${AWS::StackName}-mail"
      Environment:
        Variables:
          LINK_BASE: !If [DomainSet, !Sub "https://${Domain}", !Sub "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"]
          API: !GetAtt HttpApi.ApiEndpoint
          BOTH: !If [Both, "yes", "no"]
          EITHER: !If [Either, "yes", "no"]
          FROM: !If [MailSet, !Ref Mail, !Ref "AWS::NoValue"]
      Policies:
        - Statement:
            - {Effect: Allow, Action: sqs:SendMessage, Resource: !GetAtt Queue.Arn}
            - !If [MailSet, {Effect: Allow, Action: ses:SendEmail, Resource: "*", Condition: {StringEquals: {"ses:FromAddress": !Ref Mail}}}, !Ref "AWS::NoValue"]
`

const deployed = "https://httpapi.execute-api.us-east-1.amazonaws.com"

func TestConditionsChoose(t *testing.T) {
	for name, c := range map[string]struct {
		parameters map[string]string
		want       map[string]string
		statements int
	}{
		"neither": {nil, map[string]string{"LINK_BASE": deployed, "API": deployed, "BOTH": "no", "EITHER": "no"}, 1},
		"mail":    {map[string]string{"Mail": "a@example.com"}, map[string]string{"LINK_BASE": deployed, "API": deployed, "BOTH": "no", "EITHER": "yes", "FROM": "a@example.com"}, 2},
		"both": {map[string]string{"Mail": "a@example.com", "Domain": "example.com"},
			map[string]string{"LINK_BASE": "https://example.com", "API": deployed, "BOTH": "yes", "EITHER": "yes", "FROM": "a@example.com"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			tpl, err := template.Load(write(t, conditional), c.parameters)
			if err != nil {
				t.Fatal(err)
			}
			mailer := tpl.Function("Mailer")
			if mailer == nil || mailer.Alias != "tokenim-local-mail" || tpl.Function("tokenim-local-mail") != mailer || tpl.Function("") != nil {
				t.Fatalf("function = %+v", mailer)
			}
			if !maps.Equal(mailer.Environment, c.want) || len(mailer.Policies) != c.statements {
				t.Errorf("environment %v, policies %+v", mailer.Environment, mailer.Policies)
			}
			if tpl.HTTP.URL != deployed {
				t.Errorf("the API's address is %s", tpl.HTTP.URL)
			}
		})
	}
}

func TestStatementsKeepTheirConditions(t *testing.T) {
	text := strings.Replace(conditional, `Condition: {StringEquals: {"ses:FromAddress": !Ref Mail}}`,
		`Condition: {"ForAllValues:StringEquals": {"dynamodb:Attributes": [pk, sk]}, Bool: {"aws:SecureTransport": true}}`, 1)
	tpl, err := template.Load(write(t, text), map[string]string{"Mail": "a@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	statements := tpl.Function("Mailer").Policies
	want := template.Condition{"ForAllValues:StringEquals": {"dynamodb:Attributes": {"pk", "sk"}}, "Bool": {"aws:SecureTransport": {"true"}}}
	if statements[0].Condition != nil || !reflect.DeepEqual(statements[1].Condition, want) {
		t.Errorf("conditions %v, %v", statements[0].Condition, statements[1].Condition)
	}
}

func TestMistakesInConditionsAreErrors(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown in !If":        {"!If [Both,", "!If [None,", "None"},
		"unknown in !Condition": {"!Condition DomainSet", "!Condition None", "None"},
		"itself":                {"MailSet: !Not [!Equals [!Ref Mail, \"\"]]", "MailSet: !Not [!Condition Both]", "depends on itself"},
		"too few":               {"!If [Both, \"yes\", \"no\"]", "!If [Both, \"yes\"]", "three"},
		"no function":           {"!Equals [!Sub \"${AWS::Region}\", nowhere]", "true", "true"},
		"one argument":          {"!Equals [!Ref Mail, \"\"]", "!Equals [!Ref Mail]", "!Equals with 1"},
		"unknown parameter":     {"!Equals [!Ref Mail, \"\"]", "!Equals [!Ref Post, \"\"]", "Post"},
		"a circle":              {"      Policies:", "      Events: {Get: {Type: HttpApi, Properties: {Method: GET, Path: /x}}}\n      Policies:", "depends on the function"},
		"a statement's values":  {`{"ses:FromAddress": !Ref Mail}`, `{"ses:FromAddress": {a: b}}`, "not a string"},
		"a colon in a key":      {`"ses:FromAddress"`, "ses:FromAddress", "quote the key"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(conditional, c.old, c.new, 1)
			if text == conditional {
				t.Fatal("nothing to replace")
			}
			if _, err := template.Load(write(t, text), map[string]string{"Mail": "a@example.com"}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one that names %s", err, c.want)
			}
		})
	}
}
