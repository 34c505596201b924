// libcurl for Swift: typed inline forms of its variadic functions.
#ifndef MINICRM_CCURL_SHIM_H
#define MINICRM_CCURL_SHIM_H

#include <curl/curl.h>
#include <sys/epoll.h>

static inline CURLcode minicrm_curl_set_long(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode minicrm_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode minicrm_curl_set_string(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode minicrm_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode minicrm_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
  return curl_easy_setopt(easy, option, value);
}

/// For CURLOPT_WRITEFUNCTION and CURLOPT_HEADERFUNCTION.
static inline CURLcode minicrm_curl_set_write(CURL *easy, CURLoption option,
                                              size_t (*function)(char *, size_t, size_t, void *)) {
  return curl_easy_setopt(easy, option, function);
}

static inline CURLcode minicrm_curl_set_prereq(CURL *easy, int (*function)(void *, char *, char *, int, int)) {
  return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, function);
}

static inline long minicrm_curl_get_long(CURL *easy, CURLINFO info) {
  long value = 0;
  curl_easy_getinfo(easy, info, &value);
  return value;
}

static inline curl_off_t minicrm_curl_get_offset(CURL *easy, CURLINFO info) {
  curl_off_t value = 0;
  curl_easy_getinfo(easy, info, &value);
  return value;
}

static inline void *minicrm_curl_get_private(CURL *easy) {
  char *value = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &value);
  return value;
}

static inline CURLMcode minicrm_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}

/// Tells libcurl's two callbacks for a loop of one's own, and the context both get.
static inline void minicrm_curl_multi_set_callbacks(CURLM *multi, curl_socket_callback socket,
                                                    curl_multi_timer_callback timer, void *context) {
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
}

/// epoll_ctl without a struct, which is packed and awkward in Swift.
static inline int minicrm_epoll_control(int epoll, int operation, int descriptor, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.fd = descriptor}};
  return epoll_ctl(epoll, operation, descriptor, &event);
}

/// epoll_wait; `events` gets what happened at each of `descriptors`.
static inline int minicrm_epoll_wait(int epoll, int *descriptors, uint32_t *events, int timeout) {
  struct epoll_event ready[64];
  int count = epoll_wait(epoll, ready, 64, timeout);
  for (int index = 0; index < count; index++) {
    descriptors[index] = ready[index].data.fd;
    events[index] = ready[index].events;
  }
  return count;
}

/// The handle and result of a finished transfer; 0 when there is none.
static inline int minicrm_curl_multi_next_done(CURLM *multi, CURL **easy, CURLcode *result) {
  int left = 0;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &left)) != NULL) {
    if (message->msg == CURLMSG_DONE) {
      *easy = message->easy_handle;
      *result = message->data.result;
      return 1;
    }
  }
  return 0;
}

#endif
