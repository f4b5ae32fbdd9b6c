package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/bootstrap"
	"github.com/tokenim/tokenim/local/drill/backup"
	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/local/engine"
	platform "github.com/tokenim/tokenim/local/run"
	"github.com/tokenim/tokenim/local/template"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table"
)

// exportPage is how many items a page of the drill's export has: few enough that every larger table takes several.
const exportPage = 50

// rehearsal is a drill under way.
type rehearsal struct {
	root, folder string // the repository, and where everything goes
	out          io.Writer
	start        time.Time
	apps         []*population
	before       []witness
	team         *team
	teamBefore   witness
}

// rehearse makes traffic, exports the tables, loses them, restores them from the export, checks them and goes on.
func rehearse(ctx context.Context, root string, out io.Writer) error {
	folder, err := os.MkdirTemp("", "tokenim-drill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	r := &rehearsal{root: root, folder: folder, out: out, start: time.Now()}
	if err := r.live(ctx); err != nil {
		return fmt.Errorf("before the loss: %w", err)
	}
	r.say("lost: the engine is gone, and every table with it; the master key stays, as KMS does")
	if err := r.restore(ctx); err != nil {
		return fmt.Errorf("after the loss: %w", err)
	}
	r.say("the drill has passed")
	return nil
}

func (r *rehearsal) say(line string, args ...any) {
	fmt.Fprintf(r.out, "%5.1fs  %s\n", time.Since(r.start).Seconds(), fmt.Sprintf(line, args...))
}

// serve starts the platform; an empty endpoint gives it an engine of its own, in memory.
func (r *rehearsal) serve(ctx context.Context, data, endpoint string) (*platform.Runner, error) {
	return platform.Start(ctx, platform.Options{Root: r.root, Data: data, Ready: filepath.Join(r.folder, "ready.json"),
		Binaries: filepath.Join(r.folder, "bin"), DynamoDB: endpoint, Memory: true, Log: io.Discard})
}

// live is the platform's first life: two apps with traffic in both, a team with apps of its own, and the export.
func (r *rehearsal) live(ctx context.Context) error {
	runner, err := r.serve(ctx, filepath.Join(r.folder, "first"), "")
	if err != nil {
		return err
	}
	defer runner.Close()
	tables := tablesOf(runner.Template(), runner.DynamoDB())
	for range 2 {
		made, err := bootstrap.Make(ctx, tables.DB, bootstrap.Tables{Keys: tables.Physical["KEYS"], Records: tables.Physical["RECORDS"]}, nil)
		if err != nil {
			return err
		}
		app, err := populate(ctx, runner.Ready().HTTP, made.APIKey)
		if err != nil {
			return err
		}
		said, err := app.testify(ctx)
		if err != nil {
			return err
		}
		r.apps, r.before = append(r.apps, app), append(r.before, said)
	}
	if err := r.employ(ctx, runner); err != nil {
		return err
	}
	r.say("lived: %d apps, %d users, %d conversations, %d groups, 2 developers with 2 more apps; the API lists %d items", len(r.apps),
		len(r.apps)*usersPerApp, len(r.apps)*usersPerApp, len(r.apps)*2, r.before[0].items()+r.before[1].items()+r.teamBefore.items())
	counts, err := backup.Export(ctx, tables, r.export())
	if err != nil {
		return err
	}
	r.say("exported: %s", describe(counts))
	return nil
}

// employ has developers sign up and work.
func (r *rehearsal) employ(ctx context.Context, runner *platform.Runner) (err error) {
	if r.team, err = makeTeam(ctx, runner.Ready().HTTP, runner.Ready().Mail); err != nil {
		return err
	}
	r.teamBefore, err = r.team.testify(ctx)
	return err
}

func (r *rehearsal) export() backup.Folder { return backup.Folder(filepath.Join(r.folder, "export")) }

// restore is the second life: an empty engine, the import, the check, and the platform on the restored tables.
func (r *rehearsal) restore(ctx context.Context) error {
	data, err := r.keepMasterKey()
	if err != nil {
		return err
	}
	binary, err := engine.Binary()
	if err != nil {
		return err
	}
	second, err := engine.Start(ctx, engine.Options{Binary: binary})
	if err != nil {
		return err
	}
	defer second.Close()
	tpl, err := template.Load(filepath.Join(r.root, "template.yaml"), nil)
	if err != nil {
		return err
	}
	tables := tablesOf(tpl, second.Endpoint())
	if err := engine.CreateTables(ctx, tables.DB, tpl.Tables); err != nil {
		return err
	}
	counts, err := backup.Import(ctx, r.export(), tables)
	if err != nil {
		return err
	}
	r.say("restored: %s", describe(counts))
	if err := r.lag(ctx, tables); err != nil {
		return err
	}
	if err := r.check(ctx, tables, data); err != nil {
		return err
	}
	return r.goOn(ctx, tables, data, second.Endpoint())
}

// lag sets the counters of groups back, as where their table was cut a moment before the log's, and raises them.
func (r *rehearsal) lag(ctx context.Context, tables backup.Tables) error {
	err := scan(ctx, tables, "GROUPS", func(counter counted) error {
		if counter.Item != counterItem {
			return nil
		}
		return table.Update{Table: tables.Physical["GROUPS"], Key: table.Key(counter.Key, counter.Item), Set: "SET seq = :one, ord = :none",
			Values: table.Item{":one": table.N(1), ":none": table.N(0)}}.Run(ctx, tables.DB, nil)
	})
	if err != nil {
		return err
	}
	raised, err := raise(ctx, tables)
	if err == nil && raised != len(r.apps)*2 {
		err = fmt.Errorf("%d counters of groups were behind, not %d", raised, len(r.apps)*2)
	}
	r.say("raised: %d counters of groups that were behind", raised)
	return err
}

// keepMasterKey returns a new data folder with nothing but the master key of the first.
func (r *rehearsal) keepMasterKey() (string, error) {
	data := filepath.Join(r.folder, "second")
	key, err := os.ReadFile(filepath.Join(r.folder, "first", "master.key"))
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return "", err
	}
	return data, os.WriteFile(filepath.Join(data, "master.key"), key, 0o600)
}

func (r *rehearsal) check(ctx context.Context, tables backup.Tables, data string) error {
	wrapper, err := seal.OpenKeyFile(filepath.Join(data, "master.key"))
	if err != nil {
		return err
	}
	report, err := check.Run(ctx, tables, wrapper)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.out, "%5.1fs  checked: ", time.Since(r.start).Seconds())
	return verdict(report, r.out)
}

// goOn serves from the restored tables, and checks them again after what has been written since.
func (r *rehearsal) goOn(ctx context.Context, tables backup.Tables, data, endpoint string) error {
	runner, err := r.serve(ctx, data, endpoint)
	if err != nil {
		return err
	}
	defer runner.Close()
	for i, app := range r.apps {
		app.base = runner.Ready().HTTP
		said, err := app.testify(ctx)
		if err != nil {
			return err
		}
		if err := r.before[i].agrees(said); err != nil {
			return err
		}
		if err := app.goesOn(ctx); err != nil {
			return err
		}
	}
	r.say("served: the same items under the old keys and tokens; retries find their message; every conversation goes on at its next number")
	if err := r.reunite(ctx, runner); err != nil {
		return err
	}
	r.say("worked: the old sessions, passwords, second factor and links; the deleted app is back, with its key")
	return r.check(ctx, tables, data)
}

// reunite has the developers work on as if nothing had been lost.
func (r *rehearsal) reunite(ctx context.Context, runner *platform.Runner) error {
	r.team.moveTo(runner.Ready().HTTP)
	said, err := r.team.testify(ctx)
	if err == nil {
		err = r.teamBefore.agrees(said)
	}
	if err == nil {
		err = r.team.goesOn(ctx)
	}
	return err
}

// tablesOf returns the template's tables behind the endpoint.
func tablesOf(tpl *template.Template, endpoint string) backup.Tables {
	physical := map[string]string{}
	for variable, name := range tpl.TableVariables() {
		physical[strings.TrimPrefix(variable, "TABLE_")] = name
	}
	return backup.Tables{DB: engine.Client(endpoint), Physical: physical, PageItems: exportPage}
}

// describe lists counts by table.
func describe(counts backup.Counts) string {
	parts := make([]string, 0, len(counts))
	for _, name := range backup.Names() {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return fmt.Sprintf("%d items (%s)", counts.Total(), strings.Join(parts, ", "))
}
