"""Bedrock Converse: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.

One form for all models that Bedrock serves, which only providers speak. Also botocore's service model `bedrock-runtime`.
"""

from enfilade.dialects.members.bedrock_converse.dialect import BedrockConverse

DIALECT = BedrockConverse()
