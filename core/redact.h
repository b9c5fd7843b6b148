/*
 * core/redact.h - what must not end in a log: taken out of a record before it is written, and of messages that go there. For core/.
 *
 * By name: the value of each pair, and of each member of JSON within a pair at any depth, whose name says that it is secret. A name is read
 * as words, however it is written ("apiKey", "API_KEY" and "x-api-key" have the words api and key), without case, its first 127 bytes. Secret are
 *
 *   password passwd pwd passphrase passcode secret secrets token authorization cookie cookies credential credentials jwt apikey
 *   api key · access key · private key · signing key · client key · connection string
 *
 * as whole words, one after the other: "secret_name" and "sessionToken" are, "tokens_used" and "secretary" aren't. LATCH_LOG_REDACT adds names,
 * separated by commas: "ssn, card number". Text becomes "***", of one or two bytes as many stars, a number 0; true, false and null stay; of lists
 * and objects whatever is in them. Messages that Latch makes are without them too: of a field that latch_read found wrong ("body.password: is ***
 * (7 bytes), want text of 12 to 80 bytes"), and with the pairs of latch_fail and latch_refuse.
 *
 * By form, anywhere in a record: AWS's access key ids (AKIA or ASIA and 16 more), which become "AKIA***"; what AWS_SECRET_ACCESS_KEY,
 * AWS_SESSION_TOKEN and AWS_CONTAINER_AUTHORIZATION_TOKEN had at the start, where that is 16 bytes or longer.
 * It is a net, not a promise: a secret inside the text of your message, or JSON inside of a text, stays what it is.
 */
#ifndef LATCH_CORE_REDACT_H
#define LATCH_CORE_REDACT_H

#include "core/words.h"

#define LATCH_REDACT_NAME_BYTES 128
#define LATCH_REDACT_SECRETS 3

typedef struct latch_redact { /* zero: the built-in names and forms alone */
    char extra[512]; /* further names as words, "card number", one behind the other, each with its NUL; what doesn't fit is left out */
    char secret[LATCH_REDACT_SECRETS][24]; /* how each begins; empty: none */
} latch_redact;

latch_redact latch_redact_from_environment(void);

bool latch_redact_is_secret(const latch_redact *redact, latch_str name);

/* In place: a text never grows. Both give its new length. The first takes JSON, as core/text.h writes it; `redact` may be NULL. */
size_t latch_redact_json(const latch_redact *redact, char *json, size_t len);
size_t latch_redact_text(const latch_redact *redact, char *text, size_t len);

#endif
