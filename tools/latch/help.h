/* help.h - what the help of several commands says in the same words. */
#ifndef LATCH_TOOL_HELP_H
#define LATCH_TOOL_HELP_H

#define CONNECTION_OPTIONS                                                                                                                 \
    "  --region REGION       instead of AWS_REGION's, or the profile's\n"                                                                  \
    "  --profile NAME        of AWS's shared files; keys in the environment are left aside\n"                                              \
    "  --endpoint URL        another DynamoDB: http://localhost:8000\n"                                                                    \
    "  --help                this text\n"

#define EXIT_STATUS                                                                                                                        \
    "\n"                                                                                                                                   \
    "Exit status: 0 done · 1 DynamoDB refused, or could not be asked · 2 wrong arguments, nothing was asked\n"

#endif
