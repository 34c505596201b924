#ifndef MINICRM_CMONGOC_SHIM_H
#define MINICRM_CMONGOC_SHIM_H

#include <mongoc/mongoc.h>

/* Swift sees bson_t as opaque, for its alignment exceeds what Swift gives to values. */
#define MINICRM_BSON_SIZE 128
#define MINICRM_BSON_ALIGNMENT 128
_Static_assert(sizeof(bson_t) == MINICRM_BSON_SIZE, "storage for a bson_t is laid out by hand");

static inline uint32_t minicrm_bson_length(const bson_t *document) { return document->len; }

#endif
