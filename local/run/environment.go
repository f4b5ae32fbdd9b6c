package run

import "github.com/tokenim/tokenim/local/template"

// environment is the template's, with what stands in for AWS where the template declares a variable for it.
func (r *Runner) environment(f *template.Function) map[string]string {
	base := "http://" + r.internal.Addr().String() + callerPrefix + f.Name
	local := map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": r.dynamodb,
		"AWS_ENDPOINT_URL_LAMBDA":   base,
		"LOCAL_KEY_FILE":            r.keyFile,
	}
	if r.options.Meter {
		local["AWS_ENDPOINT_URL_DYNAMODB"] = base + "/dynamodb"
	}
	if r.tpl.WebSocket != nil {
		local["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] = base + "/" + r.tpl.WebSocket.Stage
	}
	environment := make(map[string]string, len(f.Environment))
	for name, value := range f.Environment {
		environment[name] = value
		if stand, ok := local[name]; ok {
			environment[name] = stand
		}
	}
	return environment
}

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
