// libmicrohttpd for Swift: inline forms of its variadic functions.
#ifndef MINICRM_CMICROHTTPD_SHIM_H
#define MINICRM_CMICROHTTPD_SHIM_H

#include <microhttpd.h>

/// MHD_start_daemon without a listening socket, with its options in an array that MHD_OPTION_END ends.
static inline struct MHD_Daemon *minicrm_mhd_start(unsigned int flags, MHD_AccessHandlerCallback handler,
                                                   void *handler_context, struct MHD_OptionItem *options) {
  return MHD_start_daemon(flags, 0, NULL, NULL, handler, handler_context, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/// The address of a function as the integer that MHD_OptionItem.value wants.
static inline intptr_t minicrm_mhd_uri_log(void *(*function)(void *, const char *, struct MHD_Connection *)) {
  return (intptr_t)function;
}

static inline intptr_t minicrm_mhd_completed(MHD_RequestCompletedCallback function) { return (intptr_t)function; }

static inline intptr_t minicrm_mhd_notify_connection(MHD_NotifyConnectionCallback function) {
  return (intptr_t)function;
}

static inline intptr_t minicrm_mhd_unescape(size_t (*function)(void *, struct MHD_Connection *, char *)) {
  return (intptr_t)function;
}

/// The connection's socket.
static inline int minicrm_mhd_fd(struct MHD_Connection *connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/// What the notification of the connection's start stored.
static inline void *minicrm_mhd_socket_context(struct MHD_Connection *connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/// The size of the request's head, from the method to the end of the empty line; 0 when it is not complete.
static inline size_t minicrm_mhd_head_size(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  return info ? info->header_size : 0;
}

/// The descriptor that has something to read when a daemon without threads has something to do.
static inline int minicrm_mhd_epoll_fd(struct MHD_Daemon *daemon) {
  return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

#endif
