"""Adds to a stack on ministack (1.5.33) what its CloudFormation leaves out, and says where the stack is.

    complete.py STACK FILE

Each adapter does what AWS does by itself, or does not need (docs/deploying.md):
 1. the HTTP API's routes and CORS, which SAM writes into the API's OpenAPI body and ministack ignores;
 2. an authorizer without identity sources, to which ministack gives one: the Authorization header, as if it had to be;
 3. the functions' AWS_ENDPOINT_URL_* variables, which the template declares empty: here they name ministack;
 4. the functions' variables with the HTTP API's address, such as LINK_BASE: here it is ministack's;
 5. the identity that sends mail, which somebody has to verify on AWS;
 6. the tables' time to live;
 7. the buckets' policies, which refuse what comes without TLS: here nothing has it.
Each replaces what an earlier run has done, so this runs after every deployment. Addresses and names go to FILE as JSON.
The endpoint, region and credentials come from the environment (settings.sh).
"""
import email.utils
import json
import os
import re
import sys

import boto3

EXECUTE_API = os.environ["AWS_ENDPOINT_URL"] + "/_aws/execute-api/"


class Stack:
    """A deployed stack: its template after SAM's transform, and the IDs of what was made from it."""

    def __init__(self, name):
        client = boto3.client("cloudformation")
        template = client.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
        self.resources = (json.loads(template) if isinstance(template, str) else template)["Resources"]
        pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
        self.ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"]}
        found = client.describe_stacks(StackName=name)["Stacks"][0]
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in found["Outputs"]}

    def of_type(self, kind):
        """Yields (ID, properties) of every resource of the type."""
        for logical, resource in self.resources.items():
            if resource["Type"] == kind:
                yield self.ids[logical], resource.get("Properties", {})


def add_routes(stack):
    """Makes the routes and the CORS settings of every OpenAPI body."""
    client = boto3.client("apigatewayv2")
    for api, properties in stack.of_type("AWS::ApiGatewayV2::Api"):
        if "Body" not in properties:
            continue
        remove_routes(client, api)
        integrations = {}
        for key, integration in routes(properties["Body"]):
            function = stack.ids[function_of(integration)]
            if function not in integrations:
                integrations[function] = integrate(client, api, function, integration)
            client.create_route(ApiId=api, RouteKey=key, Target="integrations/" + integrations[function])
        set_cors(client, api, properties["Body"])


def remove_routes(client, api):
    for route in client.get_routes(ApiId=api)["Items"]:
        client.delete_route(ApiId=api, RouteId=route["RouteId"])
    for integration in client.get_integrations(ApiId=api)["Items"]:
        client.delete_integration(ApiId=api, IntegrationId=integration["IntegrationId"])


def routes(body):
    """Yields (route key, integration) of an OpenAPI body, in API Gateway's notation."""
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            key = "$default" if operation.get("isDefaultRoute") else f"{verb} {path}"
            yield key, operation["x-amazon-apigateway-integration"]


def function_of(integration):
    """The logical ID of the function that an integration's unresolved URI names."""
    return re.search(r"\$\{(\w+)\.Arn\}", json.dumps(integration["uri"])).group(1)


def integrate(client, api, function, integration):
    arn = boto3.client("lambda").get_function_configuration(FunctionName=function)["FunctionArn"]
    made = client.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn,
                                     PayloadFormatVersion=integration["payloadFormatVersion"])
    return made["IntegrationId"]


def set_cors(client, api, body):
    """OpenAPI has API Gateway's own settings, but for the capital letter."""
    cors = body.get("x-amazon-apigateway-cors")
    if cors:
        client.update_api(ApiId=api, CorsConfiguration={name[0].upper() + name[1:]: value for name, value in cors.items()})


def free_authorizers(stack):
    """Takes the identity sources from authorizers for which the template names none."""
    client = boto3.client("apigatewayv2")
    for authorizer, properties in stack.of_type("AWS::ApiGatewayV2::Authorizer"):
        if "IdentitySource" not in properties:
            api = stack.ids[properties["ApiId"]["Ref"]]
            client.update_authorizer(ApiId=api, AuthorizerId=authorizer, IdentitySource=[])


def http_url(stack):
    return EXECUTE_API + stack.ids["HttpApi"] + "/$default"


def name_endpoints(stack, websocket):
    """Points the functions at ministack, each through the variables that the template declares for it, and puts the
    address of the HTTP API for the one that AWS would give it."""
    client, endpoint = boto3.client("lambda"), os.environ["AWS_ENDPOINT_URL"]
    aws = re.compile(r"https://" + stack.ids["HttpApi"] + r"\.execute-api\.[a-z0-9-]+\.amazonaws\.com")
    for function, properties in stack.of_type("AWS::Lambda::Function"):
        declared = properties["Environment"]["Variables"]
        current = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        named = {name: endpoint for name in declared if name.startswith("AWS_ENDPOINT_URL_")}
        if "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI" in named:
            named["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] = EXECUTE_API + websocket
        here = {name: aws.sub(lambda _: http_url(stack), value) for name, value in current.items()}
        client.update_function_configuration(FunctionName=function, Environment={"Variables": {**here, **named}})


def verify_senders(stack):
    """Verifies the address of every MAIL_FROM, unless the template has made an identity for it or for its domain."""
    client = boto3.client("sesv2")
    known = {i["IdentityName"] for i in client.list_email_identities().get("EmailIdentities", [])}
    for function, _ in stack.of_type("AWS::Lambda::Function"):
        current = boto3.client("lambda").get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        address = email.utils.parseaddr(current.get("MAIL_FROM", ""))[1]
        if address and not known & {address, address.rpartition("@")[2]}:
            client.create_email_identity(EmailIdentity=address)
            known.add(address)


def expire_items(stack):
    client = boto3.client("dynamodb")
    for table, properties in stack.of_type("AWS::DynamoDB::Table"):
        if "TimeToLiveSpecification" in properties:
            client.update_time_to_live(TableName=table, TimeToLiveSpecification=properties["TimeToLiveSpecification"])


def open_buckets(stack):
    """Removes the bucket policies. The template's say nothing but that TLS is needed."""
    client = boto3.client("s3")
    for _, properties in stack.of_type("AWS::S3::BucketPolicy"):
        client.delete_bucket_policy(Bucket=stack.ids[properties["Bucket"]["Ref"]])


def main():
    name, path = sys.argv[1:]
    stack = Stack(name)
    websocket = stack.ids["WebSocketApi"] + "/" + stack.outputs["WebSocketUrl"].rsplit("/", 1)[1]
    add_routes(stack)
    free_authorizers(stack)
    name_endpoints(stack, websocket)
    verify_senders(stack)
    expire_items(stack)
    open_buckets(stack)
    where = {"http": http_url(stack),
             "websocket": (EXECUTE_API + websocket).replace("http", "ws", 1),
             "keys_table": stack.outputs["KeysTableName"], "records_table": stack.outputs["RecordsTableName"]}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(where, file)


main()
