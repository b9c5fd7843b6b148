#include "help.h"
#include "commands.h"

const char latch_help[] =
    "latch: the tables that Latch's stores keep their state in, and what is in them\n"
    "\n"
    "  latch table create [NAME]      make the table, wait until it takes items, turn time to live on\n"
    "  latch table describe [NAME]    what it is like, and whether the stores can use it\n"
    "  latch table delete NAME --yes  with all its items\n"
    "  latch table schema [NAME]      for a template: CloudFormation, Terraform, CDK, the AWS CLI, JSON\n"
    "\n"
    "  latch lock list [NAME]         who holds what\n"
    "  latch lock show NAME KEY       whose a lock is, and until when\n"
    "  latch lock break NAME KEY      take it from a holder that is dead\n"
    "  latch once show NAME KEY       whether it was done, when, and what it answered\n"
    "  latch once clear NAME KEY      forget that it was done\n"
    "  latch attempt show NAME KEY    how often somebody has tried\n"
    "  latch attempt clear NAME KEY   forget it: the next attempt opens a new window\n"
    "  latch limit show NAME KEY      what was taken of a rate limit\n"
    "  latch limit reset NAME KEY     forget what was taken\n"
    "  latch item get PK [SK]         any item, as JSON\n"
    "\n"
    "  latch doctor [TABLE]           what is wrong between here and the table, and what to do\n"
    "\n"
    "  latch COMMAND --help           its options, with examples\n"
    "  latch --version\n"
    "\n"
    "A table is LATCH_TABLE's where none is named, else latch. Region, credentials and endpoint are found as the functions find them:\n"
    "AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_DYNAMODB and their like, and AWS's shared files.\n";

#define LAYOUT_OPTIONS                                                                                                                     \
    "  --layout NAME         whose table it is (default: latch, the stores' own): toolkit, saga-bus, powertools, lock-client,\n"           \
    "                        paradoxical-locks, paradoxical-keys, paradoxical-partitioned-keys\n"                                          \
    "  --pk NAME             the partition key's attribute (default: the layout's)\n"                                                      \
    "  --sk NAME             the sort key's (default: the layout's)\n"                                                                     \
    "  --ttl NAME            the attribute of time to live (default: the layout's)\n"                                                      \
    "  --no-indexes          without gsi1 and gsi2: enough for all but sagas\n"

const char latch_help_table_create[] =
    "latch table create: make the table, wait until it takes items, turn time to live on\n"
    "\n"
    "  latch table create [NAME] [OPTION…]\n"
    "\n"
    "  latch table create\n"
    "  latch table create orders --region eu-west-1 --profile dev\n"
    "  latch table create orders --endpoint http://localhost:8000        DynamoDB Local, latch-local dynamodb\n"
    "  latch table create sagas --layout saga-bus                        a table that another library owns too\n"
    "\n"
    "One that is there already and fits is left as it is, but for time to live, which is turned on; one that doesn't fit is an\n"
    "error that says what differs. It may be called again. It is billed on demand. In production, use a template, which also\n"
    "turns on backups: latch table schema.\n"
    "\n" LAYOUT_OPTIONS "  --add-indexes         add those that a table that is there lacks; of a large one that takes hours\n"
    "  --wait S              seconds until it must be there (default: 300)\n" CONNECTION_OPTIONS EXIT_STATUS;

const char latch_help_table_describe[] = "latch table describe: what the table is like, and whether the stores can use it\n"
                                         "\n"
                                         "  latch table describe [NAME] [OPTION…]\n"
                                         "\n"
                                         "  latch table describe orders --region eu-west-1\n"
                                         "  latch table describe orders --json | jq .fits\n"
                                         "\n" LAYOUT_OPTIONS "  --json                one JSON object\n" CONNECTION_OPTIONS EXIT_STATUS;

const char latch_help_table_delete[] =
    "latch table delete: delete the table with all its items\n"
    "\n"
    "  latch table delete NAME --yes [OPTION…]\n"
    "\n"
    "  latch table delete orders                  says what would be deleted, and deletes nothing\n"
    "  latch table delete orders --yes            deletes it, and waits until it is gone\n"
    "\n"
    "  --yes                 it is meant\n"
    "  --wait S              seconds until it must be gone (default: 300)\n" CONNECTION_OPTIONS EXIT_STATUS;

const char latch_help_table_schema[] =
    "latch table schema: what creates the table, for a template\n"
    "\n"
    "  latch table schema [NAME] [OPTION…]\n"
    "\n"
    "  latch table schema orders > table.yaml\n"
    "  latch table schema --format terraform > latch.tf\n"
    "  latch table schema --format aws-cli | sh\n"
    "  latch table schema --layout toolkit\n"
    "\n"
    "On demand, with time to live, backups (point-in-time recovery), and kept where the template is deleted. Asks nobody.\n"
    "\n"
    "  --format FORMAT       cloudformation (default; also for SAM) · terraform · cdk (TypeScript) · aws-cli · json (the API's "
    "requests)\n" LAYOUT_OPTIONS "  --help                this text\n" EXIT_STATUS;
