// librdkafka as Swift needs it: the public headers, and inline wrappers for what Swift cannot call (unions, casts to
// pointers) or would have to write at length.
#ifndef MINICRM_CRDKAFKA_SHIM_H
#define MINICRM_CRDKAFKA_SHIM_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

// Enqueues one record; librdkafka copies key and value.
//
// `key` and `value` are null for "none": an empty one is any non-null pointer with size 0. On success librdkafka owns
// `headers`, on failure the caller still does. `delivery_id` comes back as the delivery report's `_private`. A client
// beyond repair answers RD_KAFKA_RESP_ERR__FATAL, whatever the cause was.
static inline rd_kafka_resp_err_t crdkafka_produce(rd_kafka_t *client, rd_kafka_topic_t *topic, int32_t partition,
                                                   const void *key, size_t key_size, const void *value,
                                                   size_t value_size, rd_kafka_headers_t *headers,
                                                   uint64_t delivery_id) {
  rd_kafka_vu_t fields[7];
  size_t count = 0;
  fields[count].vtype = RD_KAFKA_VTYPE_RKT;
  fields[count++].u.rkt = topic;
  fields[count].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[count++].u.i32 = partition;
  fields[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[count++].u.i = RD_KAFKA_MSG_F_COPY;
  fields[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[count++].u.ptr = (void *)(uintptr_t)delivery_id;
  fields[count].vtype = RD_KAFKA_VTYPE_KEY;
  fields[count].u.mem.ptr = (void *)key;
  fields[count++].u.mem.size = key_size;
  fields[count].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[count].u.mem.ptr = (void *)value;
  fields[count++].u.mem.size = value_size;
  if (headers) {
    fields[count].vtype = RD_KAFKA_VTYPE_HEADERS;
    fields[count++].u.headers = headers;
  }
  rd_kafka_error_t *error = rd_kafka_produceva(client, fields, count);
  if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_resp_err_t code = rd_kafka_error_is_fatal(error) ? RD_KAFKA_RESP_ERR__FATAL : rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return code;
}

// The `delivery_id` a message was produced with.
static inline uint64_t crdkafka_delivery_id(const rd_kafka_message_t *message) {
  return (uint64_t)(uintptr_t)message->_private;
}

#endif
