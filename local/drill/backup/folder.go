package backup

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"github.com/tokenim/tokenim/shared/table"
)

// Folder is an export: for each table <name>/data/*.json.gz, every line {"Item": {…}} in DynamoDB's JSON. That is the
// form of DynamoDB's export to S3: copy the content of AWSDynamoDB/<export ID>/ to the folder <name> to read one.
type Folder string

// line is one line of a data file.
type line struct {
	Item json.RawMessage `json:"Item"`
}

// Items implements Source. A table without data files is an error: a backup that lacks a table is none.
func (f Folder) Items(_ context.Context, name string) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		files, err := filepath.Glob(filepath.Join(string(f), name, "data", "*.json*"))
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("no data files in %s", filepath.Join(string(f), name, "data"))
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for _, file := range files {
			for item, err := range fileItems(file) {
				if !yield(item, err) || err != nil {
					return
				}
			}
		}
	}
}

func fileItems(path string) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer file.Close()
		var reader io.Reader = file
		if strings.HasSuffix(path, ".gz") {
			if reader, err = gzip.NewReader(file); err != nil {
				yield(nil, fmt.Errorf("read %s: %w", path, err))
				return
			}
		}
		for decoder := json.NewDecoder(reader); ; {
			item, err := next(decoder)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				err = fmt.Errorf("read %s: %w", path, err)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

func next(decoder *json.Decoder) (table.Item, error) {
	var read line
	if err := decoder.Decode(&read); err != nil {
		return nil, err
	}
	if len(read.Item) == 0 {
		return nil, errors.New(`a line without "Item"`)
	}
	return attributevalue.UnmarshalMapJSON(read.Item)
}

// Export writes every item of the tables that are named into the folder, one data file for each table. The files hold names, times and
// who wrote to whom in the clear: they are for their owner's eyes only.
func Export(ctx context.Context, from Tables, to Folder) (Counts, error) {
	counts := Counts{}
	for _, name := range from.Named() {
		var err error
		if counts[name], err = exportTable(ctx, from, to, name); err != nil {
			return counts, fmt.Errorf("export %s: %w", name, err)
		}
	}
	return counts, nil
}

func exportTable(ctx context.Context, from Source, to Folder, name string) (count int, err error) {
	folder := filepath.Join(string(to), name, "data")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return 0, err
	}
	// O_EXCL: an export into an older one would mix two states.
	file, err := os.OpenFile(filepath.Join(folder, "all.json.gz"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	packed := gzip.NewWriter(file)
	defer func() { err = errors.Join(err, packed.Close(), file.Close()) }()
	for item, err := range from.Items(ctx, name) {
		if err != nil {
			return count, err
		}
		if err := writeLine(packed, item); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

func writeLine(to io.Writer, item table.Item) error {
	text, err := attributevalue.MarshalMapJSON(item)
	if err != nil {
		return err
	}
	written, err := json.Marshal(line{Item: bytes.TrimSpace(text)})
	if err != nil {
		return err
	}
	_, err = to.Write(append(written, '\n'))
	return err
}
