"""Prints what SAM makes of template.yaml for each set of parameters: a JSON array of CloudFormation templates.

    synthesize.py TEMPLATE '[{}, {"Tracing": "Active"}]'

Runs in SAM CLI's own Python, with the translator that CloudFormation runs too. Nothing is read from AWS: the account's
list of managed policies is not needed, and the code's address is a stand-in.
"""
import json
import sys
from pathlib import Path

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def synthesize(text, parameters):
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if "CodeUri" in resource.get("Properties", {}):
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    translator = Translator(None, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    return translator.translate(template, parameter_values=parameters, get_managed_policy_map=dict)


text = Path(sys.argv[1]).read_text(encoding="utf-8")
print(json.dumps([synthesize(text, parameters) for parameters in json.loads(sys.argv[2])]))
