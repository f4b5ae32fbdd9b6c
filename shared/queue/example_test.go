package queue_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"time"

	"github.com/tokenim/tokenim/shared/queue"
)

func ExampleQueue_Send() {
	s := &server{}
	listening := httptest.NewServer(s) // in place of AWS
	defer listening.Close()
	for name, value := range map[string]string{ // as Lambda and the template set them
		"AWS_ENDPOINT_URL_SQS": listening.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "JOBS_QUEUE": url,
	} {
		_ = os.Setenv(name, value)
		defer os.Unsetenv(name)
	}

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
