package run

import (
	"strings"

	"github.com/tokenim/tokenim/local/objects"
	"github.com/tokenim/tokenim/local/template"
)

// mailFrom is the sender where the template's MAIL_FROM is empty: nothing leaves the machine, so any address does.
const mailFrom = "TokenIM <noreply@tokenim.test>"

// environment is the template's, with what stands in for AWS where the template declares a variable for it, and with the
// runner's address in place of the HTTP API's.
func (r *Runner) environment(f *template.Function) map[string]string {
	base := "http://" + r.internal.Addr().String() + callerPrefix + f.Name
	local := map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": r.dynamodb,
		"AWS_ENDPOINT_URL_LAMBDA":   base,
		"AWS_ENDPOINT_URL_S3":       base + strings.TrimSuffix(objects.Prefix, "/"),
		"AWS_ENDPOINT_URL_SESV2":    base,
		"AWS_ENDPOINT_URL_SQS":      base,
		"LOCAL_KEY_FILE":            r.keyFile,
	}
	if f.Environment["MAIL_FROM"] == "" {
		local["MAIL_FROM"] = mailFrom
	}
	if r.options.Meter {
		local["AWS_ENDPOINT_URL_DYNAMODB"] = base + "/dynamodb"
	}
	if r.tpl.WebSocket != nil {
		local["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] = base + "/" + r.tpl.WebSocket.Stage
	}
	environment := make(map[string]string, len(f.Environment))
	for name, value := range f.Environment {
		environment[name] = r.onThisMachine(value)
		if stand, ok := local[name]; ok {
			environment[name] = stand
		}
	}
	return environment
}

// onThisMachine puts the runner's own address for that of the HTTP API on AWS.
func (r *Runner) onThisMachine(value string) string {
	if r.tpl.HTTP == nil {
		return value
	}
	return strings.ReplaceAll(value, r.tpl.HTTP.URL, r.url())
}

// url is the base of the HTTP API.
func (r *Runner) url() string { return "http://" + r.public.Addr().String() }

// allEnvironment is every function's environment in one, with the tables past the meter.
func (r *Runner) allEnvironment() map[string]string {
	all := map[string]string{}
	for _, f := range r.tpl.Functions {
		for name, value := range r.environment(f) {
			all[name] = value
		}
	}
	all["AWS_ENDPOINT_URL_DYNAMODB"] = r.dynamodb
	return all
}
