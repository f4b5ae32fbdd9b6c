package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/gateway/httpapi"
	"github.com/tokenim/tokenim/local/gateway/wsapi"
	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/mailbox"
	"github.com/tokenim/tokenim/local/meter"
	"github.com/tokenim/tokenim/local/objects"
	"github.com/tokenim/tokenim/local/queues"
	"github.com/tokenim/tokenim/local/schedules"
	"github.com/tokenim/tokenim/local/streams"
	"github.com/tokenim/tokenim/local/template"
)

const (
	sweepEvery    = 10 * time.Second // expired items; AWS takes days, so nothing may depend on it
	shutdownLimit = 3 * time.Second  // for requests in flight when the runner stops
)

// Runner is a running stand-in for the deployed stack.
type Runner struct {
	options  Options
	tpl      *template.Template
	log      *slog.Logger
	ready    Ready
	public   net.Listener
	internal net.Listener
	dynamodb string // endpoint
	keyFile  string
	counters meter.Counters
	host     *lambda.Host
	mails    *mailbox.Box
	queues   *queues.Service
	objects  *objects.Service
	schedule *schedules.Scheduler
	sockets  *wsapi.API // nil when the template has no WebSocket API
	closers  []func()   // run last to first
	once     sync.Once
}

// Start builds the functions and serves the template. It returns once requests are answered, with an error of one line
// where something that it needs is missing or taken. Whatever it started ends with Close.
func Start(ctx context.Context, o Options) (*Runner, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Runner{options: o, log: slog.New(slog.NewTextHandler(o.Log, nil))}
	if err := r.start(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Runner) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		r.readTemplate, r.listen, r.openData, r.openMailbox, r.openQueues, r.openObjects, r.build, r.startEngine, r.startFunctions, r.startSchedules, r.serve,
		r.pollStreams, r.pollQueues, r.announce, r.watch,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Ready says where the runner is.
func (r *Runner) Ready() Ready { return r.ready }

// Template is what the runner runs.
func (r *Runner) Template() *template.Template { return r.tpl }

// Environment returns the variables that a function runs with, for tools that act in its place.
func (r *Runner) Environment(function string) map[string]string {
	return r.environment(r.tpl.Function(function))
}

// DynamoDB is the endpoint of the tables, past the meter.
func (r *Runner) DynamoDB() string { return r.dynamodb }

// Stats returns what was counted since the start or the last reset.
func (r *Runner) Stats() meter.Snapshot { return r.counters.Snapshot() }

// Close stops everything that Start started, and removes the ready file first.
func (r *Runner) Close() {
	r.once.Do(func() {
		for i := len(r.closers) - 1; i >= 0; i-- {
			r.closers[i]()
		}
	})
}

func (r *Runner) onClose(f func()) { r.closers = append(r.closers, f) }

func (r *Runner) readTemplate(context.Context) error {
	tpl, err := template.Load(r.options.Template, r.options.Parameters)
	if err != nil {
		return err
	}
	r.tpl = tpl
	return nil
}

// listen takes the ports before anything slow is done.
func (r *Runner) listen(context.Context) error {
	var err error
	r.public, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.options.Port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d is taken: stop what runs there, or choose another with -port", r.options.Port)
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	r.onClose(func() { _ = r.public.Close() })
	if r.internal, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	r.onClose(func() { _ = r.internal.Close() })
	return nil
}

// openData takes the data folder. Only its owner may remove a ready file that lies about.
func (r *Runner) openData(context.Context) error {
	file, err := lock(r.options.Data)
	if err != nil {
		return err
	}
	r.onClose(func() { _ = file.Close() })
	if err := removeReady(r.options.Ready); err != nil {
		return err
	}
	r.keyFile, err = masterKey(r.options.Data)
	return err
}

func (r *Runner) openMailbox(context.Context) error {
	path := filepath.Join(r.options.Data, "mail.jsonl")
	if r.options.Memory {
		path = ""
	}
	box, err := mailbox.Open(path)
	if err != nil {
		return err
	}
	r.mails = box
	r.onClose(box.Close)
	return nil
}

func (r *Runner) openQueues(context.Context) error {
	path := filepath.Join(r.options.Data, "queues.jsonl")
	if r.options.Memory {
		path = ""
	}
	service, err := queues.Open(queues.Options{
		Queues: r.tpl.Queues, Path: path, Log: r.log, Caller: caller, Count: r.counters.CountQueue})
	if err != nil {
		return err
	}
	r.queues = service
	r.onClose(service.Close)
	return nil
}

// openObjects opens the buckets. What is put into them is announced in the queues.
func (r *Runner) openObjects(context.Context) error {
	folder := filepath.Join(r.options.Data, "objects")
	if r.options.Memory {
		folder = ""
	}
	service, err := objects.Open(objects.Options{
		Buckets: r.tpl.Buckets, Folder: folder, Log: r.log, Send: r.queues.Put, Caller: caller, Count: r.counters.CountObject})
	r.objects = service
	return err
}

func (r *Runner) build(ctx context.Context) error {
	return build(ctx, r.options, r.tpl.Functions)
}

// startEngine starts the DynamoDB engine, unless there is an endpoint already, and makes the tables.
func (r *Runner) startEngine(ctx context.Context) error {
	r.dynamodb = r.options.DynamoDB
	if r.dynamodb == "" {
		binary, err := engine.Binary()
		if err != nil {
			return err
		}
		file := filepath.Join(r.options.Data, "dynamodb.db")
		if r.options.Memory {
			file = ""
		}
		e, err := engine.Start(ctx, engine.Options{Binary: binary, DataFile: file, Sweep: sweepEvery})
		if err != nil {
			return err
		}
		r.onClose(e.Close)
		r.dynamodb = e.Endpoint()
	}
	return engine.CreateTables(ctx, engine.Client(r.dynamodb), r.tpl.Tables)
}

func (r *Runner) startFunctions(context.Context) error {
	var functions []lambda.Function
	for _, f := range r.tpl.Functions {
		functions = append(functions, lambda.Function{
			Name: f.Name, Alias: f.Alias, Binary: binary(r.options, f), Timeout: f.Timeout, MemoryMB: f.MemoryMB,
			Environment: r.environment(f), Retries: f.Retries, MaximumAge: f.MaximumAge,
		})
	}
	r.host = lambda.New(lambda.Options{
		Functions: functions, Log: r.options.Log, Count: r.counters.Count,
		RetryWait: r.options.RetryWait, DoubleEvery: r.options.DoubleEvery,
	})
	r.onClose(r.host.Close)
	return nil
}

// startSchedules begins the periods. A function's first run comes one period later, so that serve may come after this.
func (r *Runner) startSchedules(context.Context) error {
	r.schedule = schedules.Start(schedules.Options{
		Triggers: r.tpl.Schedules, Invoker: r.host, Log: r.log, Clock: r.options.Clock})
	r.onClose(r.schedule.Close)
	return nil
}

// serve opens both listeners' servers. Sockets end first when the runner stops: their $disconnect needs all the rest.
func (r *Runner) serve(context.Context) error {
	if r.tpl.WebSocket != nil {
		r.sockets = wsapi.New(wsapi.Options{
			Spec: r.tpl.WebSocket, Invoker: r.host, Log: r.log, Count: r.counters.Count, Caller: caller})
	}
	internal, err := r.internalHandler()
	if err != nil {
		return err
	}
	r.serveOn(r.internal, internal)
	r.serveOn(r.public, r.publicHandler())
	if r.sockets != nil {
		r.onClose(r.sockets.Close)
	}
	return nil
}

func (r *Runner) serveOn(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelWarn)}
	go func() { _ = server.Serve(listener) }()
	r.onClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	})
}

// publicHandler serves what clients see, and the runner's own pages.
func (r *Runner) publicHandler() http.Handler {
	own := r.ownPages()
	var web http.Handler = http.NotFoundHandler()
	if r.tpl.HTTP != nil {
		web = httpapi.New(r.tpl.HTTP, r.host, r.log)
	}
	// No ServeMux in front of the API: it would redirect paths such as //send, which API Gateway does not.
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case strings.HasPrefix(req.URL.Path, ownPrefix+"/"):
			own.ServeHTTP(w, req)
		case r.sockets != nil && wsapi.Takes(req):
			r.sockets.ServeHTTP(w, req)
		default:
			web.ServeHTTP(w, req)
		}
	})
}

// pollStreams calls the functions that the template puts on tables' streams.
func (r *Runner) pollStreams(ctx context.Context) error {
	if len(r.tpl.Streams) == 0 {
		return nil
	}
	position := filepath.Join(r.options.Data, "streams.json")
	if r.options.Memory {
		position = ""
	}
	p, err := streams.Start(ctx, streams.Options{
		Endpoint: r.dynamodb, Triggers: r.tpl.Streams, Invoker: r.host, Log: r.log, Position: position, Discard: r.queues.Put})
	if err != nil {
		return err
	}
	r.onClose(p.Close)
	return nil
}

// pollQueues calls the functions that the template puts on queues.
func (r *Runner) pollQueues(context.Context) error {
	r.onClose(r.queues.Poll(r.tpl.QueueTriggers, r.host, r.options.DoubleEvery).Close)
	return nil
}
