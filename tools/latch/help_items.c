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
