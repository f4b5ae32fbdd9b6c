package queue_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"time"

	"github.com/tokenim/tokenim/shared/queue"
)

// pretend stands in for AWS, and sets the variables that Lambda and the template set there.
func pretend() (s *server, end func()) {
	s = &server{}
	listening := httptest.NewServer(s)
	variables := map[string]string{
		"AWS_ENDPOINT_URL_SQS": listening.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "JOBS_QUEUE": url,
	}
	for name, value := range variables {
		_ = os.Setenv(name, value)
	}
	return s, func() {
		listening.Close()
		for name := range variables {
			_ = os.Unsetenv(name)
		}
	}
}

func ExampleQueue_Send() {
	s, end := pretend()
	defer end()

	type Job struct {
		App string `json:"app"`
	}
	jobs := queue.FromEnvironment("JOBS_QUEUE")
	if err := jobs.Send(context.Background(), Job{App: "app_1"}, time.Minute); err != nil {
		fmt.Println(err)
	}
	fmt.Println(s.bodies[0], s.delays[0])
	// Output: {"app":"app_1"} 60
}

func ExampleQueue_SendOrdered() {
	s, end := pretend()
	defer end()

	type Job struct {
		Seq int `json:"seq"`
	}
	jobs := queue.FromEnvironment("JOBS_QUEUE") // of a FIFO queue
	err := jobs.SendOrdered(context.Background(), []queue.Ordered{
		{Body: Job{Seq: 7}, Group: "g_1", ID: "g_1#7"}, // the same when it is sent again
		{Body: Job{Seq: 8}, Group: "g_1", ID: "g_1#8"},
		{Body: Job{Seq: 3}, Group: "g_2", ID: "g_2#3"},
	})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(s.bodies, s.sizes) // in requests of two groups and of one
	// Output: [{"seq":7} {"seq":3} {"seq":8}] [2 1]
}
