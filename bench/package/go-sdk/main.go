// A function that counts an attempt in DynamoDB by AWS's SDK for Go v2: one UpdateItem an invocation, its client made at start.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type event struct {
	User string `json:"user"`
}

type reply struct {
	StatusCode int    `json:"statusCode"`
	Body       string `json:"body"`
}

func request(user string) *dynamodb.UpdateItemInput {
	return &dynamodb.UpdateItemInput{
		TableName: aws.String("latch"),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "ATTEMPT#login#" + user},
			"sk": &types.AttributeValueMemberS{Value: "ATTEMPT"},
		},
		UpdateExpression:         aws.String("SET #attempts = if_not_exists(#attempts, :zero) + :one, #last = :id"),
		ConditionExpression:      aws.String("attribute_not_exists(#attempts) OR #attempts < :max"),
		ExpressionAttributeNames: map[string]string{"#attempts": "attempts", "#last": "last"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":zero": &types.AttributeValueMemberN{Value: "0"},
			":one":  &types.AttributeValueMemberN{Value: "1"},
			":max":  &types.AttributeValueMemberN{Value: "3"},
			":id":   &types.AttributeValueMemberS{Value: "0b6e0a4e-5d1c-4f4c-9d0e-0d8f6f1f2a3b"},
		},
		ReturnValues: types.ReturnValueAllNew,
	}
}

func main() {
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	client := dynamodb.NewFromConfig(settings)
	lambda.Start(func(ctx context.Context, e event) (reply, error) {
		answer, err := client.UpdateItem(ctx, request(e.User))
		if err != nil {
			return reply{}, err
		}
		used, ok := answer.Attributes["attempts"].(*types.AttributeValueMemberN)
		if !ok {
			return reply{}, fmt.Errorf("no attempts in the answer")
		}
		return reply{StatusCode: 401, Body: "attempt " + used.Value}, nil
	})
}
