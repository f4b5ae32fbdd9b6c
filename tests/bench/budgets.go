package main

import (
	"context"
	"fmt"

	"github.com/tokenim/tokenim/tests/budget"
)

// requests are measured for each row of the table.
const requests = 16

// printBudgets prints the budget table as it is measured, each budget in brackets.
func printBudgets(ctx context.Context, platform *budget.Platform) error {
	fmt.Printf("\n## What a request costs\n\nDollars per million requests, us-east-1, without storage; the time of Lambda is assumed: %s.\n"+
		"Budgets are in brackets; those of the design that do not name the credential have its 2 read units added.\n\n", budget.AssumedLambda)
	fmt.Println("| request | write units | read units | DynamoDB calls | invocations | posts | KMS calls | log lines | $ per million |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, row := range budget.Rows {
		cost, err := platform.Measure(ctx, row, requests)
		if err != nil {
			return err
		}
		dollars := fmt.Sprintf("%.2f", cost.Price(row.In))
		if row.Dollars > 0 {
			dollars += fmt.Sprintf(" (≤ %.2f)", row.Dollars)
		}
		fmt.Printf("| %s | %s (≤ %s) | %s (≤ %s) | %s | %s | %s | %s | %s | %s |\n", row.What,
			number(cost.WriteUnits), number(row.WriteUnits), number(cost.ReadUnits), number(row.ReadUnits),
			number(cost.Calls), number(cost.Invocations), number(cost.Posts), number(cost.KeyLoads), number(cost.LogLines), dollars)
	}
	fmt.Println("\nA post is counted for each online device, and for each answer over the socket. KMS calls are those that the loads of data keys could cause.")
	return nil
}

// number writes a count without needless zeros.
func number(value float64) string {
	return fmt.Sprintf("%.4g", value)
}
