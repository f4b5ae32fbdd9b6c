package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/bootstrap"
	"github.com/tokenim/tokenim/local/drill/backup"
	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// environment points the commands at an engine with an app in its tables, and returns their -tables.
func environment(t *testing.T) string {
	db, variables := enginetest.Start(t)
	enginetest.Setenv(t, db)
	t.Setenv("LOCAL_KEY_FILE", filepath.Join(t.TempDir(), "master.key"))
	storetest.OK(t, "key file", os.WriteFile(os.Getenv("LOCAL_KEY_FILE"), []byte(strings.Repeat("ab", 32)), 0o600))
	_, err := bootstrap.Make(t.Context(), db, bootstrap.Tables{Keys: variables["TABLE_KEYS"], Records: variables["TABLE_RECORDS"]}, nil)
	storetest.OK(t, "bootstrap", err)
	pairs := []string{}
	for _, name := range backup.Names() {
		pairs = append(pairs, name+"="+variables["TABLE_"+name])
	}
	return strings.Join(pairs, ",")
}

func TestCheckExportImport(t *testing.T) {
	tables, folder := environment(t), filepath.Join(t.TempDir(), "export")
	for _, step := range []struct {
		args []string
		says string
	}{
		{[]string{"-check", "-tables", tables}, "1 apps, 1 API keys"},
		{[]string{"-raise", "-tables", tables}, "raised 0 counters"},
		{[]string{"-export", "-folder", folder, "-tables", tables}, "exported 4 items"},
		{[]string{"-check", "-folder", folder}, "1 apps, 1 API keys"},
		{[]string{"-import", "-replace", "-folder", folder, "-tables", tables}, "imported 4 items"},
		{[]string{"-check", "-tables", tables}, "0 problems"},
	} {
		var out strings.Builder
		if err := run(t.Context(), step.args, &out); err != nil || !strings.Contains(out.String(), step.says) {
			t.Fatalf("%v: %v, %s", step.args, err, out.String())
		}
	}
}

// Nothing is deleted for a backup that is not there.
func TestReplaceReadsTheBackupFirst(t *testing.T) {
	tables := environment(t)
	var out strings.Builder
	if err := run(t.Context(), []string{"-import", "-replace", "-folder", t.TempDir(), "-tables", tables}, &out); err == nil {
		t.Error("an import of nothing is no error")
	}
	storetest.OK(t, "check", run(t.Context(), []string{"-check", "-tables", tables}, &out))
	if !strings.Contains(out.String(), "1 API keys") {
		t.Errorf("the tables have changed: %s", out.String())
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "local")
	for says, args := range map[string][]string{
		"say what to do":     {"-folder", "x"},
		"USERS is not named": {"-check", "-tables", "DATA_KEYS=a,DEVELOPERS=b,ACCOUNTS=c,KEYS=d,GRANTS=e,RECORDS=f,TASKS=g"},
		"named for MESSAGES": {"-raise", "-tables", "GROUPS=a"},
		`"OTHERS=a" is not`:  {"-check", "-tables", "OTHERS=a"},
		"flag provided but":  {"-unknown"},
		"-folder is needed":  {"-export", "-tables", "KEYS=a"},
	} {
		var out strings.Builder
		if err := run(t.Context(), args, &out); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v; want %q", args, err, says)
		}
	}
}

func TestCheckNeedsTheMasterKey(t *testing.T) {
	tables := environment(t)
	t.Setenv("LOCAL_KEY_FILE", "")
	t.Setenv("KMS_KEY", "")
	var out strings.Builder
	if err := run(t.Context(), []string{"-check", "-tables", tables}, &out); err == nil || !strings.Contains(err.Error(), "KMS_KEY") {
		t.Errorf("error = %v", err)
	}
}

func TestWitnessesDisagree(t *testing.T) {
	before := witness{"/users": {"a", "b"}, "/keys": {}}
	storetest.OK(t, "agrees", before.agrees(witness{"/users": {"a", "b"}, "/keys": {}}))
	for _, after := range []witness{{"/users": {"a"}}, {"/users": {"b", "a"}}, {}} {
		if before.agrees(after) == nil {
			t.Errorf("%v agrees with %v", after, before)
		}
	}
}
