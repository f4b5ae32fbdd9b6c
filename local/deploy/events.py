"""Which function of template.yaml each file of events/ is for, and whether an answer to one is sound.

    events.py list            prints "Function file", one a line
    events.py judge <ANSWER   exits 1 if the function did not end well

Runs in SAM CLI's own Python, for its template reader.
"""
import json
import pathlib
import sys

from samcli.yamlhelper import yaml_parse


def functions(template):
    """Maps what an event says of its route to the logical ID of the route's function."""
    found = {}
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        for event in properties.get("Events", {}).values():
            if event["Type"] == "HttpApi":
                method, path = event["Properties"]["Method"], event["Properties"]["Path"]
                found["http", path if path == "$default" else f"{method} {path}"] = name
        if resource["Type"] == "AWS::Serverless::WebSocketApi":
            found["authorizer", ""] = properties["Auth"]["AuthArn"]["Fn::GetAtt"][0]
            for key, route in properties["Routes"].items():
                found["socket", key] = route["FunctionArn"]["Fn::GetAtt"][0]
    return found


def route(event, path):
    """What an event says of its route. One without a request context is for the function that its file is named after:
    resume.json for ResumeFunction, mail-reset.json for MailFunction."""
    if "requestContext" not in event:
        return "name", path.stem.split("-")[0]
    if event.get("type") == "REQUEST":
        return "authorizer", ""
    if "routeKey" in event:
        return "http", event["routeKey"]
    return "socket", event["requestContext"]["routeKey"]


def turn(path):
    """By name, but for resume: it comes after the event that opens its socket."""
    return "socket-connect.json~" if path.name == "resume.json" else path.name


def list_events():
    found = functions(yaml_parse(pathlib.Path("template.yaml").read_text(encoding="utf-8")))
    for path in sorted(pathlib.Path("events").glob("*.json"), key=turn):
        kind, of = route(json.loads(path.read_text(encoding="utf-8")), path)
        print(of.capitalize() + "Function" if kind == "name" else found[kind, of], path.name)


def judge(answer):
    """A function has ended well if it answered JSON, with neither a Lambda error nor a status of ours for a defect."""
    try:
        parsed = json.loads(answer or "null")
    except ValueError:
        return False
    if parsed is None:
        return True  # a function without an answer
    return "errorType" not in parsed and parsed.get("statusCode", 200) < 500


if sys.argv[1] == "list":
    list_events()
else:
    sys.exit(0 if judge(sys.stdin.read().strip()) else 1)
