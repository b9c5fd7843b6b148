"""Where botocore sends DynamoDB's requests: every region of every partition, with FIPS and dual stack on and off, with and without an account.

    python3 tests/dynamodb/endpoints_oracle.py > tests/dynamodb/endpoints.txt

One line each: region, fips, dualstack (0 or 1), account id or -, mode, URL or "error".
"""
import itertools

import botocore
import botocore.session
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import create_loader

loader = create_loader()
partitions = loader.load_data("partitions")
provider = EndpointProvider(loader.load_service_model("dynamodb", "endpoint-rule-set-1"), partitions)
regions = [region for partition in partitions["partitions"] for region in partition["regions"]] + ["us-newest-7", "cn-newest-2"]

print("# botocore", botocore.__version__, "by tests/dynamodb/endpoints_oracle.py")
accounts = [("-", "preferred"), ("-", "required"), ("123456789012", "preferred"), ("123456789012", "required"), ("123456789012", "disabled")]
for region, fips, dual, (account, mode) in itertools.product(regions, (False, True), (False, True), accounts):
    asked = {"Region": region, "UseFIPS": fips, "UseDualStack": dual, "AccountIdEndpointMode": mode}
    if account != "-":
        asked["AccountId"] = account
    try:
        url = provider.resolve_endpoint(**asked).url
    except EndpointProviderError:
        url = "error"
    print(region, int(fips), int(dual), account, mode, url)
