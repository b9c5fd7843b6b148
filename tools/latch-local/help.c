#include "commands.h"

const char latch_help[] =
    "latch-local: AWS Lambda at your desk, for one bootstrap; and DynamoDB\n"
    "\n"
    "  latch-local invoke EVENT… -- ./bootstrap    play events, print what each was answered\n"
    "  latch-local serve --port N -- ./bootstrap   turn HTTP requests into events, by template.yaml's routes\n"
    "  latch-local dynamodb --port N               a DynamoDB in memory, for any AWS SDK\n"
    "  latch-local faults                          what --fault can do to invoke and serve\n"
    "\n"
    "  latch-local COMMAND --help                  its options, with examples\n"
    "  latch-local --version\n"
    "\n"
    "invoke and serve play the service's side of the Lambda Runtime API on a loopback port and start the bootstrap as Lambda\n"
    "does: one warm process a function, the environment of template.yaml, Lambda's timeouts and limits.\n";

#define COMMON_OPTIONS                                                                                                                     \
    "  --template FILE       the functions are this template's (default: template.yaml here)\n"                                            \
    "  --env NAME=VALUE      a variable for the functions, more than once if you like\n"                                                   \
    "  --env-file FILE       lines of NAME=VALUE; --env goes first\n"                                                                      \
    "  --timeout S           seconds an invocation may take (default: the function's Timeout in the template, else 3)\n"                   \
    "  --init-timeout S      seconds a process may take to ask for its first event (default: 10)\n"                                        \
    "  --debug               no timeouts; each process starts stopped and waits for your debugger\n"                                       \
    "  --concurrency N       up to N events at once in each process, as on Lambda Managed Instances (default: 1)\n"                        \
    "  --snapstart           each process stops in its snapshot until the first event restores it\n"                                       \
    "  --throttle-stream     streamed responses: 6 MiB at once, then 2 MiB a second\n"                                                     \
    "  --tenant ID           Lambda-Runtime-Aws-Tenant-Id\n"                                                                               \
    "  --client-context JSON, --cognito-identity JSON   the headers of mobile clients\n"                                                   \
    "  --sampled             the trace header says Sampled=1\n"                                                                            \
    "  --fault KIND[@N|%P]   goes wrong at the Nth event, or at P percent of them (the kinds: latch-local faults)\n"                       \
    "faults\n"                                                                                                                             \
    "  --seed N              of the percents: the same faults each time (default: another each time, printed)\n"                           \
    "  --help                this text\n"

const char latch_help_invoke[] =
    "latch-local invoke: play events in warm processes, print what each was answered\n"
    "\n"
    "  latch-local invoke [OPTION…] EVENT… -- ./bootstrap [ARG…]\n"
    "\n"
    "  latch-local invoke events -- build/release/bootstrap                  a folder, in the order of its names\n"
    "  latch-local invoke --plays 2 events -- build/release/bootstrap        all of it, and all of it again\n"
    "  latch-local invoke api-login -- build/release/bootstrap               events/api-login.json\n"
    "  echo '{\"a\":1}' | latch-local invoke --function echo - -- ./bootstrap   from standard input\n"
    "  latch-local invoke --debug events/api-login.json -- ./bootstrap       waits for gdb\n"
    "\n"
    "EVENT is a file, a folder of *.json, - for standard input, or NAME for events/NAME.json. A file named HANDLER-what.json is\n"
    "for the function of template.yaml whose Handler that is. Each function has one process, which stays warm.\n"
    "\n"
    "  --function NAME       send every event to this function (its logical id, name or handler)\n"
    "  --plays N             play the whole list N times, in the same processes (default: 1)\n"
    "  --events DIR          where NAME is looked up; without an EVENT, all of DIR (default: events)\n"
    "  --expect DIR          what must be answered is in DIR/NAME.json (default: expect/NAME.json beside the event)\n"
    "  --json                one JSON object a line, with the answer as it was sent\n"
    "  --full                answers whole, not cut to the terminal's width\n" COMMON_OPTIONS "\n"
    "An expectation is {\"first\": …, \"second\": …}, for the first and each later play. Members that it names must match, others\n"
    "may be there; \"<any>\" \"<string>\" \"<number>\" \"<uuid>\" \"<timestamp>\" \"<absent>\" match by form; an object expected of a\n"
    "string is looked for in the JSON that the string holds; {\"error\": {\"errorType\": …}} expects the invocation to fail.\n"
    "\n"
    "An event is ok when it was answered, and as expected where something is. Logs of the functions go to standard error.\n"
    "Exit status: 0 all events were ok · 1 one was not, or the run was interrupted · 2 nothing was run\n";

const char latch_help_serve[] =
    "latch-local serve: turn HTTP requests into events for the functions of template.yaml\n"
    "\n"
    "  latch-local serve [OPTION…] -- ./bootstrap [ARG…]\n"
    "\n"
    "  latch-local serve --port 3000 -- build/release/bootstrap\n"
    "  curl -d '{\"sku\":\"tea\",\"qty\":2}' -H 'Idempotency-Key: k-1' http://127.0.0.1:3000/checkout\n"
    "  latch-local serve --port 0 -- ./bootstrap                   a free port, printed in the first line\n"
    "\n"
    "Routes are the template's HttpApi events ({name}, {proxy+}, ANY, $default), events the HTTP API's, payload format 2.0.\n"
    "A function with a FunctionUrlConfig is at /_url/FUNCTION/…, and everywhere where it is the only one and there are no routes.\n"
    "With InvokeMode: RESPONSE_STREAM in it the answer is passed on as it is streamed; anywhere else it is sent when it is whole.\n"
    "A function that fails is a 502, one that is killed at its deadline a 504, a path without a route a 404.\n"
    "http://127.0.0.1:3000/_latch shows invocations as they come, with event, answer, log and store requests, on this machine alone.\n"
    "Each function runs one request at a time in one warm process; others wait. Ctrl-C stops everything.\n"
    "\n"
    "  --port N              default: 3000; 0: a free one\n"
    "  --host ADDRESS        to listen on (default: 127.0.0.1)\n"
    "  --watch               a bootstrap that is built anew takes over; what runs ends in the old one\n"
    "  --no-page             /_latch is the functions' own path, as any other\n"
    "  --function NAME       without a template: the one function, for every path\n" COMMON_OPTIONS;

const char latch_help_faults[] =
    "latch-local faults: what goes wrong on demand between a function's process and its Runtime API\n"
    "\n"
    "  latch-local invoke --fault post-410@2 --plays 3 events -- ./bootstrap     at the second event of each function\n"
    "  latch-local invoke --fault any%30 --seed 7 --plays 100 events -- ./bootstrap\n"
    "\n"
    "--fault KIND is at each event, KIND@N at a function's Nth, KIND%P at P percent of them; the first of several that applies.\n"
    "\"any\" is each kind but next-shutdown. An event is hit once: in the request that is handed it, or in the first post of its\n"
    "outcome; a process has always got one before. One that survives what it must not, or posts another outcome, is told of: in\n"
    "the log, under the event, and by invoke --json as \"complaints\" and \"note\".\n"
    "\n";

const char latch_help_dynamodb[] =
    "latch-local dynamodb: a DynamoDB in the memory of this process, for any AWS SDK\n"
    "\n"
    "  latch-local dynamodb [OPTION…]\n"
    "\n"
    "  latch-local dynamodb --port 8000\n"
    "  export AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8000 AWS_REGION=local\n"
    "  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local\n"
    "  aws dynamodb list-tables\n"
    "\n"
    "Items, expressions, indexes, batches, transactions, TTL, limits and errors are DynamoDB's: see docs/local-dynamodb.md. Any\n"
    "credentials and any region are taken, and all see the same tables. Nothing is kept when it ends: Ctrl-C, or SIGTERM.\n"
    "The first line of standard output ends with the URL, and is printed when requests are answered.\n"
    "\n"
    "  --port N              default: 8000; 0: a free one\n"
    "  --host ADDRESS        to listen on (default: 127.0.0.1)\n"
    "  --table NAME          creates the table that Latch's stores share, with its indexes and time to live\n"
    "  --max-mb N            tables and their indexes may take so much memory; writes beyond it are refused (default: 256)\n"
    "  --lag-ms N            eventually consistent reads, and all of a global index, are N ms behind (default: 0)\n"
    "  --seed N              Scan's order is the same in each run with this N, from 1 (default: another order each run)\n"
    "  --verbose             a line on standard output for each request; errors in full\n"
    "  --quiet               the first line is the URL alone\n"
    "  --help                this text\n"
    "\n"
    "Exit status: 0 it was ended by a signal · 2 it could not start\n";
