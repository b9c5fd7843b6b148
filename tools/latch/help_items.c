#include "commands.h"
#include "help.h"

#define NAMING                                                                                                                             \
    "\n"                                                                                                                                   \
    "NAME is the policy's .name, KEY the key that the handler gives; or both in one word, as logs and messages have them. A word that\n"   \
    "begins with - stands behind --.\n"                                                                                                    \
    "\n"

#define ITEM_OPTIONS                                                                                                                       \
    "  --table NAME          instead of LATCH_TABLE's (default: latch)\n"                                                                  \
    "  --json                one JSON object: points in time as ISO 8601 and as Unix ms\n" CONNECTION_OPTIONS

#define ITEM_STATUS                                                                                                                        \
    "\n"                                                                                                                                   \
    "Exit status: 0 done · 1 it isn't there, or changed meanwhile, or DynamoDB refused · 2 wrong arguments, nothing was asked\n"

const char latch_help_lock_list[] =
    "latch lock list: the locks of a table, and who holds them\n"
    "\n"
    "  latch lock list [NAME] [OPTION…]\n"
    "\n"
    "  latch lock list --held                     those that are held now\n"
    "  latch lock list orders                     those of one policy, by its .name\n"
    "  latch lock list --json | jq -r .owner\n"
    "\n"
    "It scans: half a read unit per 4 KB of the whole table, whatever is found, and says what it cost. The reads are eventual: what was\n"
    "taken a moment ago may be missing. Of one lock, latch lock show knows more for one read unit.\n"
    "\n"
    "  --held                not those that are released or expired\n"
    "  --limit N             the most that are listed (default: 100)\n"
    "  --read N              stops when so many items of the table were read (default: 10000)\n" ITEM_OPTIONS EXIT_STATUS;

const char latch_help_lock_show[] =
    "latch lock show: whose a lock is, since when, and until when\n"
    "\n"
    "  latch lock show NAME KEY [OPTION…]\n"
    "\n"
    "  latch lock show orders order-17\n"
    "  latch lock show 'LOCK#orders#order-17' --json | jq .state\n" NAMING
    "held: until its lease ends, and 2 s longer, by which clocks may differ. expired: nobody gave it back, and whoever asks gets it.\n"
    "released: it was given back. The owner is the request id of the invocation that took it.\n"
    "\n" ITEM_OPTIONS ITEM_STATUS;

const char latch_help_lock_break[] =
    "latch lock break: take a lock from a holder that is known to be dead\n"
    "\n"
    "  latch lock break NAME KEY [OPTION…]\n"
    "\n"
    "  latch lock break orders order-17           shows whose it is, and asks\n"
    "  latch lock break orders order-17 --yes     doesn't ask\n" NAMING
    "Broken is the hold that was shown: a lock that changed hands meanwhile stays as it is, and that is said. The next one who asks gets\n"
    "it at once, with a greater token (fence). An owner that is alive after all isn't told, and goes on until it looks: extending,\n"
    "releasing and guarded writes are refused. So look at its log first, by its request id.\n"
    "\n"
    "  --yes                 don't ask\n" ITEM_OPTIONS ITEM_STATUS;

const char latch_help_once_show[] =
    "latch once show: whether something was done, when, and what it answered\n"
    "\n"
    "  latch once show NAME KEY [OPTION…]\n"
    "\n"
    "  latch once show payments order-17\n"
    "  latch once show 'ONCE#payments#order-17' --json | jq .response\n" NAMING
    "done: the next call is answered as the one that did it. in progress: one is at it. overdue: its time is over, and the next call does\n"
    "the work. given back, abandoned: the work ended without being done; of the second, half done. ended: the record's time is over.\n"
    "\n" ITEM_OPTIONS ITEM_STATUS;

const char latch_help_once_clear[] = "latch once clear: forget that something was done, so that the next call does it again\n"
                                     "\n"
                                     "  latch once clear NAME KEY [OPTION…]\n"
                                     "\n"
                                     "  latch once clear payments order-17         shows what was done, and asks\n"
                                     "  latch once clear payments order-17 --yes   doesn't ask\n" NAMING
                                     "Cleared is the record that was shown: one that changed meanwhile stays, and that is said. What is in "
                                     "progress stays until its time is\n"
                                     "over. Nothing that was done outside of the table is undone.\n"
                                     "\n"
                                     "  --yes                 don't ask\n" ITEM_OPTIONS ITEM_STATUS;

const char latch_help_attempt_show[] =
    "latch attempt show: how often somebody has tried, in which window\n"
    "\n"
    "  latch attempt show NAME KEY [OPTION…]\n"
    "\n"
    "  latch attempt show login ada@example.com\n"
    "  latch attempt show login ada@example.com --json | jq .attempts\n" NAMING
    "How many are allowed, and how long a window is, stands in the handler's policy and not in the table: the window's end is told as it\n"
    "was when the window began, to the second.\n"
    "\n" ITEM_OPTIONS ITEM_STATUS;

const char latch_help_attempt_clear[] =
    "latch attempt clear: forget somebody's attempts, so that the next one opens a new window\n"
    "\n"
    "  latch attempt clear NAME KEY [OPTION…]\n"
    "\n"
    "  latch attempt clear login ada@example.com          shows the window, and asks\n"
    "  latch attempt clear login ada@example.com --yes    doesn't ask\n" NAMING
    "Cleared is the window that was shown, with what was counted in it since; another one stays, and that is said.\n"
    "\n"
    "  --yes                 don't ask\n" ITEM_OPTIONS ITEM_STATUS;

const char latch_help_limit_show[] =
    "latch limit show: what was taken of a rate limit\n"
    "\n"
    "  latch limit show NAME KEY [OPTION…]\n"
    "\n"
    "  latch limit show api 203.0.113.7\n"
    "  latch limit show api 203.0.113.7 --limit 60 --window 60    with the policy's numbers, how much there is now\n" NAMING
    "The limit and its window stand in the handler's policy and not in the table: without them, what the item holds is told.\n"
    "\n"
    "  --limit N             the policy's .limit\n"
    "  --window S            its .window_ms, in seconds\n"
    "  --burst N             its .burst, of GCRA\n" ITEM_OPTIONS ITEM_STATUS;

const char latch_help_limit_reset[] =
    "latch limit reset: forget what was taken of a rate limit, so that all of it is free\n"
    "\n"
    "  latch limit reset NAME KEY [OPTION…]\n"
    "\n"
    "  latch limit reset api 203.0.113.7          shows what was taken, and asks\n"
    "  latch limit reset api 203.0.113.7 --yes    doesn't ask\n" NAMING
    "What is granted between the question and the answer is forgotten too. A process that refused a moment ago may go on for the policy's\n"
    ".known_ms, 1 s where it says nothing.\n"
    "\n"
    "  --yes                 don't ask\n" ITEM_OPTIONS ITEM_STATUS;

const char latch_help_item_get[] =
    "latch item get: any item of any table, as JSON\n"
    "\n"
    "  latch item get PK [SK] [OPTION…]\n"
    "\n"
    "  latch item get 'LOCK#orders#order-17'                       its SK may be left out where there is one item of this PK\n"
    "  latch item get 'CART#ada' 'ITEM#7' --table carts | jq .qty\n"
    "  latch item get order-17 --table locks --raw                 a table of another library: the key's names are the table's own\n"
    "\n"
    "A key that is a number is given by its digits, one that is binary as base64. What plain JSON can't say is tagged: sets are\n"
    "{\"$strings\": […]} and {\"$numbers\": […]}, binary is {\"$binary\": base64}. A word that begins with - stands behind --.\n"
    "\n"
    "  --table NAME          instead of LATCH_TABLE's (default: latch)\n"
    "  --raw                 with DynamoDB's types: {\"qty\": {\"N\": \"2\"}}\n" CONNECTION_OPTIONS ITEM_STATUS;
