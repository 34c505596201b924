import CMicroHTTPD
import Glibc

/// The functions that libmicrohttpd calls, and how they find their objects.
///
/// Three contexts cross C: the `ServerCore` (retained by the worker, which outlives its daemon), a `Connection` (the table
/// retains it until the notification of its end) and an `Exchange` (retained from the URI callback to the completion
/// callback).
enum MHDCallbacks {
  static let notifyConnection: MHD_NotifyConnectionCallback = { context, mhd, socketContext, code in
    guard let context, let mhd, let socketContext else { return }
    let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
    if code == .CONNECTION_NOTIFY_STARTED {
      socketContext.pointee = core.table.connection(minicrm_mhd_fd(mhd)).map { Unmanaged.passRetained($0).toOpaque() }
    } else if let pointer = socketContext.pointee {
      core.connectionClosed(Unmanaged<Connection>.fromOpaque(pointer).takeRetainedValue())
    }
  }

  /// Called with the request target before it is taken apart: the first that is heard of a request.
  static let targetReceived:
    @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?) -> UnsafeMutableRawPointer? = {
      context, target, mhd in
      guard let context, let target, let mhd, let pointer = minicrm_mhd_socket_context(mhd) else { return nil }
      let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
      let connection = Unmanaged<Connection>.fromOpaque(pointer).takeUnretainedValue()
      return Unmanaged.passRetained(core.begin(connection, mhd, target)).toOpaque()
    }

  static let access: MHD_AccessHandlerCallback = { _, _, _, method, version, data, size, requestContext in
    guard let method, let version, let size, let pointer = requestContext?.pointee else { return .NO }
    return Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
      .access(method: method, version: version, data: data, size: size)
  }

  static let completed: MHD_RequestCompletedCallback = { context, _, requestContext, code in
    guard let context, let pointer = requestContext?.pointee else { return }
    requestContext?.pointee = nil
    let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
    Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
      .ended(exchange, completed: code == .REQUEST_TERMINATED_COMPLETED_OK)
  }

  /// Leaves the target as it is: it is decoded here, strictly.
  static let unescape: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<CChar>?) -> Int =
    {
      _, _, string in string.map { strlen($0) } ?? 0
    }

  /// A response whose bytes libmicrohttpd asks `stream` for.
  static func response(length: Int?, stream: ResponseStream) -> OpaquePointer? {
    let context = Unmanaged.passRetained(stream)
    let response = MHD_create_response_from_callback(
      length.map(UInt64.init) ?? UInt64.max, 32_768,
      { context, _, destination, room in
        guard let context, let destination else { return -2 }
        return Unmanaged<ResponseStream>.fromOpaque(context).takeUnretainedValue().read(into: destination, room: room)
      }, context.toOpaque(),
      { context in
        guard let context else { return }
        Unmanaged<ResponseStream>.fromOpaque(context).takeRetainedValue().close()
      })
    if response == nil { context.release() }
    return response
  }
}
