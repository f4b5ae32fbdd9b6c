// Command bootstrapkey makes the first app and API key of an installation on AWS and prints the key, once.
//
//	go run ./local/bootstrapkey -table <KeysTableName of the stack> -records <RecordsTableName of the stack> [-origins https://chat.example.com,…]
//
// Region and credentials come from AWS_REGION and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, as
// `aws configure export-credentials --format env` prints them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/tokenim/tokenim/local/bootstrap"
	"github.com/tokenim/tokenim/shared/table"
)

func main() {
	name := flag.String("table", "", "the stack's output KeysTableName")
	records := flag.String("records", "", "the stack's output RecordsTableName")
	origins := flag.String("origins", "", "web origins whose pages may open sockets, with commas between")
	flag.Parse()
	if *name == "" || *records == "" || os.Getenv("AWS_REGION") == "" || os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		fmt.Fprintln(os.Stderr, "bootstrapkey: -table, -records, AWS_REGION and AWS_ACCESS_KEY_ID are needed; see -help")
		os.Exit(2)
	}
	var allowed []string
	if *origins != "" {
		allowed = strings.Split(*origins, ",")
	}
	made, err := bootstrap.Make(context.Background(), table.Client(), bootstrap.Tables{Keys: *name, Records: *records}, allowed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bootstrapkey:", err)
		os.Exit(1)
	}
	fmt.Println(made.APIKey)
}
