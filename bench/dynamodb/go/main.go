// The AWS SDK for Go v2: peer first|loop COUNT.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

func put(client *dynamodb.Client, n int, text string) {
	_, err := client.PutItem(context.Background(), &dynamodb.PutItemInput{
		TableName: aws.String("latch"),
		Item: map[string]types.AttributeValue{
			"pk":    &types.AttributeValueMemberS{Value: "BENCH#" + strconv.Itoa(n)},
			"sk":    &types.AttributeValueMemberS{Value: "BENCH"},
			"count": &types.AttributeValueMemberN{Value: strconv.Itoa(n)},
			"state": &types.AttributeValueMemberS{Value: "open"},
			"text":  &types.AttributeValueMemberS{Value: text},
		},
	})
	if err != nil {
		fail(err)
	}
}

func cpuMicros() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return (usage.Utime.Sec+usage.Stime.Sec)*1e6 + usage.Utime.Usec + usage.Stime.Usec
}

func main() {
	count := 1
	if len(os.Args) > 2 {
		count, _ = strconv.Atoi(os.Args[2])
	}
	text := strings.Repeat("x", 200)
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		fail(err)
	}
	client := dynamodb.NewFromConfig(settings)
	if len(os.Args) > 1 && os.Args[1] == "first" {
		put(client, 0, text)
		fmt.Println("first")
		return
	}
	for n := 0; n < 500; n++ {
		put(client, n, text)
	}
	took := make([]int64, count)
	before := cpuMicros()
	for n := range took {
		from := time.Now()
		put(client, n, text)
		took[n] = time.Since(from).Nanoseconds()
	}
	cpu := cpuMicros() - before
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	fmt.Printf("{\"cpu_us\":%.2f,\"p50_us\":%.2f,\"p99_us\":%.2f}\n", float64(cpu)/float64(count), float64(took[count/2])/1e3,
		float64(took[count*99/100])/1e3)
}
