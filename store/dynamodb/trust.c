#include "store/dynamodb/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "core/http_private.h"

/* libcurl's own message for a file that it can't read speaks of everything but the reason. */
static latch_status check_file(const char *path, latch_err *err) {
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int why = fd < 0 || fstat(fd, &about) != 0 ? errno : 0;
    if (why == 0 && S_ISDIR(about.st_mode)) why = EISDIR;
    if (fd >= 0) close(fd);
    if (why == 0) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE,
                         "DynamoDB: the certificates in \"%.100s\" can't be read: %s; AWS_CA_BUNDLE, else SSL_CERT_FILE, names a PEM file",
                         path, strerror(why));
}

latch_status latch_trust_of(const latch_settings *settings, latch_trust *out, latch_err *err) {
    *out = (latch_trust){0};
    if (!settings->tls) return LATCH_OK;
    if (settings->ca_file != NULL) {
        LATCH_TRY(check_file(settings->ca_file, err));
        out->file = settings->ca_file;
    } else if (settings->amazon_roots) {
        out->pem = latch_trust_roots();
    } else {
        out->file = latch_http_system_bundle();
    }
    return LATCH_OK;
}
