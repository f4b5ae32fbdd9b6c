package architecture

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tokenim/tokenim/shared/fault"
)

// What emulators drop, and what the laptop runner does not read, is held to what SAM makes of the template.

// synthesized is a template after SAM's transform. Intrinsic functions are in their long form.
type synthesized struct {
	Parameters map[string]struct{ Description string }
	Conditions map[string]any
	Resources  map[string]struct {
		Type, Condition, DeletionPolicy string
		Properties                      map[string]any
	}
	Outputs map[string]struct{ Description string }
}

// synthesize returns what SAM's translator makes of the template with the parameters' defaults. Without SAM CLI in .tools/
// (make test installs it) the test is left out.
func synthesize(t *testing.T) synthesized { return translated(t)[0] }

// translated returns the template with its defaults, and with tracing. The translator runs once for all tests.
func translated(t *testing.T) []synthesized {
	t.Helper()
	if _, err := os.Stat(samPython); err != nil {
		t.Skip("SAM CLI is not installed in .tools/")
	}
	templates, err := translate()
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

// samPython is the Python that SAM CLI is installed in.
const samPython = repository + "/.tools/sam/bin/python"

var translate = sync.OnceValues(func() ([]synthesized, error) {
	command := exec.Command(samPython, "testdata/synthesize.py", repository+"/template.yaml", `[{}, {"Tracing": "Active"}]`)
	var complaints strings.Builder
	command.Stderr = &complaints
	printed, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("run SAM's translator: %w\n%s", err, complaints.String())
	}
	var templates []synthesized
	if err := json.Unmarshal(printed, &templates); err != nil {
		return nil, fmt.Errorf("read what SAM's translator printed: %w", err)
	}
	return templates, nil
})

// ofType returns the logical IDs of the resources of a type, in order.
func (s synthesized) ofType(kind string) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		if s.Resources[name].Type == kind {
			found = append(found, name)
		}
	}
	return found
}

// text returns a resource's properties as JSON, to look for what it names.
func (s synthesized) text(t *testing.T, name string) string {
	t.Helper()
	text, err := json.Marshal(s.Resources[name].Properties)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// names tells whether JSON refers to a resource, by Ref or by Fn::GetAtt.
func names(text, resource string) bool {
	return strings.Contains(text, `{"Ref":"`+resource+`"}`) || strings.Contains(text, `{"Fn::GetAtt":["`+resource+`",`)
}

func TestParametersAndOutputsAreDescribed(t *testing.T) {
	s := synthesize(t)
	for name, parameter := range s.Parameters {
		if parameter.Description == "" {
			t.Errorf("parameter %s has no description", name)
		}
	}
	for name, output := range s.Outputs {
		if output.Description == "" {
			t.Errorf("output %s has no description", name)
		}
	}
}

// TestWhatCostsIsMadeOnlyWhenAskedFor: alarms, dashboards and backups cost by the month, so each stands under a condition.
func TestWhatCostsIsMadeOnlyWhenAskedFor(t *testing.T) {
	s := synthesize(t)
	for name, resource := range s.Resources {
		optional := strings.HasPrefix(resource.Type, "AWS::CloudWatch::") || strings.HasPrefix(resource.Type, "AWS::Backup::") ||
			strings.HasPrefix(resource.Type, "AWS::SNS::")
		if optional && resource.Condition == "" {
			t.Errorf("%s, a %s, is made without having been asked for", name, resource.Type)
		}
		if _, declared := s.Conditions[resource.Condition]; resource.Condition != "" && !declared {
			t.Errorf("%s stands under %s, which is no condition", name, resource.Condition)
		}
	}
}

// TestAlarmsWatchEveryFunction: a new function has to be entered in an alarm of each kind, and in the dashboard.
func TestAlarmsWatchEveryFunction(t *testing.T) {
	s := synthesize(t)
	dashboard := s.text(t, "Charts")
	for _, alarm := range []string{"ErrorsAlarm", "ThrottlesAlarm"} {
		watched := s.text(t, alarm) + s.text(t, "Background"+alarm) + s.text(t, "Live"+alarm)
		for _, each := range []string{alarm, "Background" + alarm, "Live" + alarm} {
			if metrics, _ := s.Resources[each].Properties["Metrics"].([]any); len(metrics) > 10 {
				t.Errorf("%s has %d metrics and expressions; CloudWatch takes 10: divide it", each, len(metrics))
			}
		}
		for _, function := range s.ofType("AWS::Lambda::Function") {
			if !names(watched, function) {
				t.Errorf("%s does not watch %s", alarm, function)
			}
			if !strings.Contains(dashboard, "${"+function+"}") {
				t.Errorf("the dashboard does not show %s", function)
			}
		}
	}
	for _, alarm := range s.ofType("AWS::CloudWatch::Alarm") {
		if !names(s.text(t, alarm), "AlarmTopic") {
			t.Errorf("%s tells nobody", alarm)
		}
	}
}

// TestFailuresAlarmWatchesOurOwnFailures: the codes of status 500 and above, under the namespace of the functions.
func TestFailuresAlarmWatchesOurOwnFailures(t *testing.T) {
	s := synthesize(t)
	watched := s.text(t, "FailuresAlarm")
	for _, code := range fault.Codes() {
		ours := fault.Lookup(code).Status >= http.StatusInternalServerError
		if strings.Contains(watched, fmt.Sprintf(`"Name":"code","Value":%q`, code)) != ours {
			t.Errorf("FailuresAlarm and the code %s: watched must be %v", code, ours)
		}
	}
	const namespace = "TokenIM/${AWS::StackName}"
	for _, function := range s.ofType("AWS::Lambda::Function") {
		if !strings.Contains(s.text(t, function), `"METRICS_NAMESPACE":{"Fn::Sub":"`+namespace+`"}`) {
			t.Errorf("%s does not write its metrics to %s", function, namespace)
		}
	}
	if !strings.Contains(watched, `"Namespace":{"Fn::Sub":"`+namespace+`"}`) || !strings.Contains(s.text(t, "Charts"), namespace) {
		t.Errorf("the alarm or the dashboard looks elsewhere than in %s", namespace)
	}
}

func TestDashboardIsJSON(t *testing.T) {
	body, _ := synthesize(t).Resources["Charts"].Properties["DashboardBody"].(map[string]any)
	text, _ := body["Fn::Sub"].(string)
	var dashboard struct{ Widgets []map[string]any }
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil || len(dashboard.Widgets) == 0 {
		t.Errorf("the dashboard has %d widgets: %v\n%s", len(dashboard.Widgets), err, text)
	}
}

// TestMetricsPassLambdasFilter: sampled successes are on lines of level INFO, and only JSON lines have a level.
func TestMetricsPassLambdasFilter(t *testing.T) {
	s := synthesize(t)
	for _, function := range s.ofType("AWS::Lambda::Function") {
		logging, _ := s.Resources[function].Properties["LoggingConfig"].(map[string]any)
		level, _ := logging["ApplicationLogLevel"].(string)
		if logging["LogFormat"] != "JSON" || !slices.Contains([]string{"INFO", "DEBUG", "TRACE"}, level) {
			t.Errorf("%s: logging %v would drop metrics", function, logging)
		}
	}
}

// TestFunctionsInvokedInTheBackgroundKeepDeadLetters: what failed for good waits, encrypted, as long as SQS keeps it.
func TestFunctionsInvokedInTheBackgroundKeepDeadLetters(t *testing.T) {
	s := synthesize(t)
	queue := s.Resources["ResumeDeadLetters"].Properties
	if queue["SqsManagedSseEnabled"] != true || queue["MessageRetentionPeriod"] != float64(14*24*60*60) {
		t.Errorf("ResumeDeadLetters: %v", queue)
	}
	if configuration := s.text(t, "ResumeFunctionEventInvokeConfig"); !names(configuration, "ResumeDeadLetters") {
		t.Errorf("ResumeFunction's failures go nowhere: %s", configuration)
	}
	if role := s.text(t, "ResumeFunctionRole"); !strings.Contains(role, "sqs:SendMessage") {
		t.Error("ResumeFunction may not send to its dead letters")
	}
}

func TestTracingIsOffUnlessAskedFor(t *testing.T) {
	templates := translated(t)
	for i, traced := range []bool{false, true} {
		s := templates[i]
		for _, function := range s.ofType("AWS::Lambda::Function") {
			configured := s.Resources[function].Properties["TracingConfig"] != nil
			granted := strings.Contains(strings.ToLower(s.text(t, function+"Role")), "xray")
			if configured != traced || granted != traced {
				t.Errorf("Tracing %v: %s has a configuration: %v, a policy: %v", traced, function, configured, granted)
			}
		}
	}
}

// TestEveryTableIsBackedUp: all tables outlive the stack and have point-in-time recovery and 35 days of backups, but the
// data keys: a destroyed key must be gone for good, so they have 7 days of backups alone.
func TestEveryTableIsBackedUp(t *testing.T) {
	s := synthesize(t)
	for _, table := range s.ofType("AWS::DynamoDB::Table") {
		keys := table == "DataKeysTable"
		recovery, _ := s.Resources[table].Properties["PointInTimeRecoverySpecification"].(map[string]any)
		if recovery["PointInTimeRecoveryEnabled"] == true == keys {
			t.Errorf("%s: point-in-time recovery %v", table, recovery)
		}
		if s.Resources[table].DeletionPolicy != "Retain" {
			t.Errorf("%s does not outlive its stack", table)
		}
		if names(s.text(t, "BackupTables"), table) == keys || names(s.text(t, "BackupDataKeys"), table) != keys {
			t.Errorf("%s is in the wrong selection of backups, or in none", table)
		}
	}
	for plan, days := range map[string]int{"BackupPlan": 35, "DataKeysBackupPlan": 7} {
		if !strings.Contains(s.text(t, plan), fmt.Sprintf(`"Lifecycle":{"DeleteAfterDays":%d}`, days)) {
			t.Errorf("%s does not keep backups for %d days", plan, days)
		}
	}
	for selection, plan := range map[string]string{"BackupTables": "BackupPlan", "BackupDataKeys": "DataKeysBackupPlan"} {
		if !names(s.text(t, selection), plan) {
			t.Errorf("%s is not a selection of %s", selection, plan)
		}
	}
	if s.Resources["BackupVault"].DeletionPolicy != "Retain" {
		t.Error("the vault does not outlive its stack, and AWS deletes none with backups in it")
	}
}
