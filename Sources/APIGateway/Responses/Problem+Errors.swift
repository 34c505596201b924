import CRMCore
import CRMStore
import HTTP
import JSON
import Kafka
import Mongo
import Runtime

extension Problem {
  /// What a client is told about an error that a handler threw. Nothing of the inside shows.
  ///
  /// Nil when nobody foresaw it: a fault of this program, to be logged and answered 500.
  init?(describing error: any Error) {
    switch error {
    case let problem as Problem: self = problem
    case let error as ValidationError: self.init(error.errors)
    case let error as StoreError: self.init(error)
    case let error as MongoError:
      guard let problem = Problem(error) else { return nil }
      self = problem
    case let error as KafkaError: self.init(error)
    case let error as JSONError: self.init(.malformedRequest, "\(error)")
    case let problem as HTTPServerProblem: self.init(problem)
    case HTTPBodyError.tooLarge(let limit): self.init(HTTPServerProblem.bodyTooLarge(limit: limit))
    case HTTPBodyError.disconnected, HTTPBodyError.alreadyRead:
      self.init(.malformedRequest, "The body did not arrive.")
    case BlockingPoolError.overloaded:
      self = .databaseOverloaded
    case BlockingPoolError.shutDown, is CancellationError:
      self.init(.stopping, "The server is stopping.", retryAfter: 2)
    case is UploadTakenOver: self.init(.conflict, "Another request goes on with this upload.")
    case is DeadlineExceeded: self.init(.tooSlow, "The request took longer than it may.", retryAfter: 5)
    default: return nil
    }
  }

  private init(_ error: StoreError) {
    switch error {
    case .notFound(let what, let id): self.init(.notFound, "No \(what) has the id \(id).")
    case .conflict(let message, let status, let runID):
      self.init(.conflict, message)
      if let status { members.append(("current_status", .string(status))) }
      if let runID { members.append(("runId", .string(runID))) }
    case .invalid(let errors): self.init(errors)
    }
  }

  private init?(_ error: MongoError) {
    switch error.kind {
    case .unavailable: self.init(.dependencyUnavailable, "MongoDB does not answer.", retryAfter: 2)
    case .writeConcern:
      self.init(
        .dependencyUnavailable, "MongoDB has not confirmed in time that this is durable. It may be done.", retryAfter: 2
      )
    case .timeout: self.init(.tooSlow, "MongoDB needs longer for this than it may take.", retryAfter: 5)
    case .exhausted: self.init(.overloaded, "All connections to MongoDB are busy.", retryAfter: 2)
    case .writeConflict: self.init(.overloaded, "Too many writers changed the same documents.", retryAfter: 1)
    default: return nil
    }
  }

  private init(_ error: KafkaError) {
    switch error.kind {
    case .queueFull:
      self.init(.overloaded, "More records wait for Kafka than the producer can hold.", retryAfter: 2)
    case .messageTooLarge: self.init(.bodyTooLarge, "The broker does not accept a record of this size.")
    default: self.init(.dependencyUnavailable, "Kafka did not acknowledge the record.", retryAfter: 2)
    }
  }

  init(_ problem: HTTPServerProblem) {
    switch problem {
    case .badRequest: self.init(.malformedRequest, "\(problem)")
    case .notFound: self.init(.notFound, "\(problem)")
    case .methodNotAllowed: self.init(.methodNotAllowed, "\(problem)")
    case .requestTimeout: self.init(.requestTimeout, "\(problem)")
    case .bodyTooLarge: self.init(.bodyTooLarge, "\(problem)")
    case .targetTooLong: self.init(.targetTooLong, "\(problem)")
    case .headersTooLarge: self.init(.headersTooLarge, "\(problem)")
    case .handlerFailed(let error): self = Problem(describing: error) ?? .unforeseen
    case .handlerTimedOut: self.init(.tooSlow, "\(problem)", retryAfter: 5)
    case .stopping: self.init(.stopping, "\(problem)", retryAfter: 2)
    }
  }

  static let databaseOverloaded = Problem(
    .overloaded, "More requests wait for MongoDB than it can answer in time.", retryAfter: 2)

  /// The answer to an error that nobody foresaw.
  static let unforeseen = Problem(
    .internalError, "Something went wrong that should not have. The request id leads to the log line that says what.")
}
