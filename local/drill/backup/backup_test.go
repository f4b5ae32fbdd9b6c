package backup_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/tokenim/tokenim/local/drill/backup"
	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// tables returns an engine's empty tables.
func tables(t *testing.T) backup.Tables {
	db, variables := enginetest.Start(t)
	physical := map[string]string{}
	for variable, name := range variables {
		physical[strings.TrimPrefix(variable, "TABLE_")] = name
	}
	return backup.Tables{DB: db, Physical: physical, PageItems: 7}
}

// every is an attribute of every type that DynamoDB has.
func every() table.Item {
	return table.Item{
		"text": table.S("周 <&>\n\u2028"), "number": table.N(-12), "empty": table.S(""),
		"bytes": &types.AttributeValueMemberB{Value: []byte{0, 255, 10}},
		"truth": &types.AttributeValueMemberBOOL{Value: true}, "nothing": &types.AttributeValueMemberNULL{Value: true},
		"list":    &types.AttributeValueMemberL{Value: []types.AttributeValue{table.N(1), table.S("a")}},
		"map":     &types.AttributeValueMemberM{Value: table.Item{"in": table.N(1), "none": &types.AttributeValueMemberM{Value: table.Item{}}}},
		"texts":   &types.AttributeValueMemberSS{Value: []string{"a", "b"}},
		"numbers": &types.AttributeValueMemberNS{Value: []string{"1", "2"}},
		"blobs":   &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
	}
}

// fill puts items into every table, 60 into the log: more than two batches, and many pages.
func fill(t *testing.T, to backup.Tables) {
	t.Helper()
	for _, name := range backup.Names() {
		count := 3
		if name == "MESSAGES" {
			count = 60
		}
		for i := range count {
			item := every()
			item["pk"], item["sk"], item["seq"] = table.S(fmt.Sprint("p", i%5)), table.S(fmt.Sprint("s", i)), table.N(int64(i))
			if name == "USERS" || name == "SENDS" {
				item["pk"] = table.S(fmt.Sprint("p", i))
			}
			storetest.OK(t, "put", table.Put(t.Context(), to.DB, to.Physical[name], item, "", nil, nil))
		}
	}
}

// content returns the source's items by table and by key.
func content(t *testing.T, source backup.Source) map[string]map[string]table.Item {
	t.Helper()
	all := map[string]map[string]table.Item{}
	for _, name := range backup.Names() {
		all[name] = map[string]table.Item{}
		for item, err := range source.Items(t.Context(), name) {
			storetest.OK(t, "read "+name, err)
			all[name][fmt.Sprint(item["pk"], item["sk"], item["seq"])] = item
		}
	}
	return all
}

func TestExportAndImport(t *testing.T) {
	from, to, folder := tables(t), tables(t), backup.Folder(t.TempDir())
	fill(t, from)
	before := content(t, from)
	exported, err := backup.Export(t.Context(), from, folder)
	storetest.OK(t, "Export", err)
	if exported["MESSAGES"] != 60 || exported.Total() != 60+3*(len(backup.Names())-1) {
		t.Errorf("exported %v", exported)
	}
	to.DB = stingy(to.DB)
	imported, err := backup.Import(t.Context(), folder, to)
	storetest.OK(t, "Import", err)
	if !maps.Equal(exported, imported) {
		t.Errorf("exported %v, imported %v", exported, imported)
	}
	if after := content(t, to); !reflect.DeepEqual(before, after) {
		t.Errorf("the tables differ: %v\n%v", before, after)
	}
	if _, err := backup.Import(t.Context(), folder, to); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("a second import: %v", err)
	}
	storetest.OK(t, "Empty", backup.Empty(t.Context(), to))
	if counts, err := backup.Count(t.Context(), to, backup.Names()); err != nil || counts.Total() != 0 {
		t.Errorf("after Empty: %v, %v", counts, err)
	}
	if _, err := backup.Export(t.Context(), from, folder); !errors.Is(err, os.ErrExist) {
		t.Errorf("an export over another: %v", err)
	}
}

// A table that is not named is left alone: data keys, mostly.
func TestWhatIsNotNamedIsLeftAlone(t *testing.T) {
	all, folder := tables(t), backup.Folder(t.TempDir())
	fill(t, all)
	some := all
	some.Physical = maps.Clone(all.Physical)
	delete(some.Physical, "DATA_KEYS")
	exported, err := backup.Export(t.Context(), some, folder)
	storetest.OK(t, "Export", err)
	storetest.OK(t, "Empty", backup.Empty(t.Context(), some))
	imported, err := backup.Import(t.Context(), folder, some)
	storetest.OK(t, "Import", err)
	after, err := backup.Count(t.Context(), all, backup.Names())
	storetest.OK(t, "Count", err)
	if exported.Total() != 60+3*(len(backup.Names())-2) || !maps.Equal(exported, imported) || after.Total() != 60+3*(len(backup.Names())-1) {
		t.Errorf("exported %v, imported %v, then %v", exported, imported, after)
	}
}

// stingy takes all but the last write of a batch that has several, as DynamoDB may.
func stingy(client *dynamodb.Client) *dynamodb.Client {
	options := client.Options()
	options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("stingy", leaveOne), middleware.Before)
	})
	return dynamodb.New(options)
}

func leaveOne(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	input, ok := in.Parameters.(*dynamodb.BatchWriteItemInput)
	if !ok {
		return next.HandleInitialize(ctx, in)
	}
	taken, left := map[string][]types.WriteRequest{}, map[string][]types.WriteRequest{}
	for name, requests := range input.RequestItems {
		cut := max(1, len(requests)-1)
		if taken[name] = requests[:cut]; cut < len(requests) {
			left[name] = requests[cut:]
		}
	}
	in.Parameters = &dynamodb.BatchWriteItemInput{RequestItems: taken}
	out, metadata, err := next.HandleInitialize(ctx, in)
	if answer, ok := out.Result.(*dynamodb.BatchWriteItemOutput); ok && answer != nil {
		answer.UnprocessedItems = left
	}
	return out, metadata, err
}

// A real export to S3 has several data files a table, beside manifests.
func TestFolderReadsWhatAWSExports(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		storetest.OK(t, "mkdir", os.MkdirAll(filepath.Dir(path), 0o700))
		storetest.OK(t, "write", os.WriteFile(path, []byte(text), 0o600))
	}
	write("SENDS/manifest-files.json", `{"itemCount":2}`)
	write("SENDS/data/one.json", `{"Item":{"pk":{"S":"a"},"from":{"N":"7"},"mac":{"B":"AAE="}}}`+"\n"+`{"Item":{"pk":{"S":"b"}}}`+"\n")
	write("SENDS/data/two.json", "")
	found := []table.Item{}
	for item, err := range backup.Folder(root).Items(t.Context(), "SENDS") {
		storetest.OK(t, "read", err)
		found = append(found, item)
	}
	want := []table.Item{{"pk": table.S("a"), "from": table.N(7), "mac": &types.AttributeValueMemberB{Value: []byte{0, 1}}}, {"pk": table.S("b")}}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("found %v", found)
	}
}

func TestFolderRefusesWhatIsNoExport(t *testing.T) {
	for name, text := range map[string]string{"cut.json": `{"Item":{"pk":{"S":"a"`, "other.json": `{"pk":"a"}`, "bad.json.gz": "no gzip"} {
		root := t.TempDir()
		storetest.OK(t, "mkdir", os.MkdirAll(filepath.Join(root, "SENDS/data"), 0o700))
		storetest.OK(t, "write", os.WriteFile(filepath.Join(root, "SENDS/data", name), []byte(text), 0o600))
		if err := firstError(t.Context(), backup.Folder(root), "SENDS"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := firstError(t.Context(), backup.Folder(t.TempDir()), "SENDS"); err == nil {
		t.Error("a folder without the table is no error")
	}
}

func firstError(ctx context.Context, source backup.Source, name string) error {
	for _, err := range source.Items(ctx, name) {
		if err != nil {
			return err
		}
	}
	return nil
}
