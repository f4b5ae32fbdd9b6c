// Command drill rehearses the loss of all tables, and has the tools of a real restore.
//
//	go run ./local/drill                                         rehearse on this machine, in memory
//	go run ./local/drill -check  -tables USERS=t1,KEYS=t2,…      check tables
//	go run ./local/drill -check  -folder backup                  check an export
//	go run ./local/drill -raise  -tables …                       raise the counters of groups that are behind their logs
//	go run ./local/drill -export -folder backup -tables …        copy tables into a folder
//	go run ./local/drill -import -folder backup -tables …        copy a folder into empty tables; -replace empties them first
//
// Copying leaves tables that are not named alone; a check needs all of them.
// A table is named as its variable in template.yaml without TABLE_. Region, credentials and endpoint come from AWS_REGION,
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_ENDPOINT_URL_DYNAMODB, the key that unwraps the data
// keys from KMS_KEY or LOCAL_KEY_FILE.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/tokenim/tokenim/local/drill/backup"
	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/seal/sealkms"
	"github.com/tokenim/tokenim/shared/table"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	check, raise, export, load, replace bool
	folder, tables                      string
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("drill", flag.ContinueOnError)
	flags.BoolVar(&o.check, "check", false, "check the invariants of -tables, or of an export in -folder")
	flags.BoolVar(&o.raise, "raise", false, "raise the counters of groups in -tables that are behind their logs; nothing may write meanwhile")
	flags.BoolVar(&o.export, "export", false, "copy -tables into -folder")
	flags.BoolVar(&o.load, "import", false, "copy -folder into -tables, which have to be empty")
	flags.BoolVar(&o.replace, "replace", false, "with -import: empty the tables first; what they hold is lost")
	flags.StringVar(&o.folder, "folder", "", "folder of an export")
	flags.StringVar(&o.tables, "tables", "", "the tables' names: "+strings.Join(backup.Names(), "=…,")+"=…")
	err := flags.Parse(args)
	return o, err
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case o.check:
		return o.runCheck(ctx, out)
	case o.raise:
		return o.runRaise(ctx, out)
	case o.export:
		return o.runExport(ctx, out)
	case o.load:
		return o.runImport(ctx, out)
	case o.folder != "" || o.tables != "":
		return errors.New("say what to do: -check, -raise, -export or -import")
	}
	return rehearse(ctx, ".", out)
}

func (o options) runCheck(ctx context.Context, out io.Writer) error {
	var source backup.Source = backup.Folder(o.folder)
	if o.folder == "" {
		tables, err := o.named()
		if err == nil {
			err = complete(tables)
		}
		if err != nil {
			return err
		}
		source = tables
	}
	if os.Getenv("KMS_KEY") == "" && os.Getenv("LOCAL_KEY_FILE") == "" {
		return errors.New("KMS_KEY is needed, the stack's MasterKey: without it no data key unwraps")
	}
	wrapper, err := sealkms.FromEnvironment()
	if err != nil {
		return err
	}
	report, err := check.Run(ctx, source, wrapper)
	if err != nil {
		return err
	}
	return verdict(report, out)
}

// mostShown bounds the problems that are printed.
const mostShown = 50

// verdict prints a report; problems are an error.
func verdict(report *check.Report, out io.Writer) error {
	fmt.Fprintln(out, report)
	for _, problem := range report.Problems[:min(mostShown, len(report.Problems))] {
		fmt.Fprintln(out, " ", problem)
	}
	if len(report.Problems) > 0 {
		return fmt.Errorf("%d problems", len(report.Problems))
	}
	return nil
}

func (o options) runRaise(ctx context.Context, out io.Writer) error {
	tables, err := o.named()
	if err != nil {
		return err
	}
	raised, err := raise(ctx, tables)
	fmt.Fprintf(out, "raised %d counters\n", raised)
	return err
}

func (o options) runExport(ctx context.Context, out io.Writer) error {
	tables, err := o.named()
	if err == nil && o.folder == "" {
		err = errors.New("-folder is needed")
	}
	if err != nil {
		return err
	}
	counts, err := backup.Export(ctx, tables, backup.Folder(o.folder))
	fmt.Fprintf(out, "exported %d items\n", counts.Total())
	return err
}

func (o options) runImport(ctx context.Context, out io.Writer) error {
	tables, err := o.named()
	if err == nil && o.folder == "" {
		err = errors.New("-folder is needed")
	}
	if err != nil {
		return err
	}
	folder := backup.Folder(o.folder)
	if o.replace {
		if _, err := backup.Count(ctx, folder, tables.Named()); err != nil { // nothing is deleted for a backup that cannot be read
			return err
		}
		if err := backup.Empty(ctx, tables); err != nil {
			return err
		}
	}
	counts, err := backup.Import(ctx, folder, tables)
	fmt.Fprintf(out, "imported %d items\n", counts.Total())
	return err
}

// complete refuses tables of which some are not named: a check of the others would find false problems.
func complete(tables backup.Tables) error {
	for _, name := range backup.Names() {
		if tables.Physical[name] == "" {
			return fmt.Errorf("-tables: %s is not named", name)
		}
	}
	return nil
}

// named returns the tables of -tables.
func (o options) named() (backup.Tables, error) {
	physical := map[string]string{}
	for pair := range strings.SplitSeq(o.tables, ",") {
		name, own, ok := strings.Cut(pair, "=")
		if !ok || !slices.Contains(backup.Names(), name) {
			return backup.Tables{}, fmt.Errorf("-tables: %q is not NAME=table with a NAME of %s", pair, strings.Join(backup.Names(), ", "))
		}
		physical[name] = own
	}
	if os.Getenv("AWS_REGION") == "" || os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		return backup.Tables{}, errors.New("AWS_REGION and AWS_ACCESS_KEY_ID are needed: eval \"$(aws configure export-credentials --format env)\"")
	}
	return backup.Tables{DB: table.Client(), Physical: physical}, nil
}
