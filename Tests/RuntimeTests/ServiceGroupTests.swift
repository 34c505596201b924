import Synchronization
import Testing

@testable import Runtime

@Suite struct ServiceGroupTests {
  final class Recorder: Sendable {
    private let list = Mutex<[String]>([])
    func add(_ event: String) { list.withLock { $0.append(event) } }
    var events: [String] { list.withLock { $0 } }
  }

  struct Probe: Service {
    let name: String
    let recorder: Recorder
    var onStart: @Sendable () async throws -> Void = {}

    func start() async throws {
      recorder.add("start \(name)")
      try await onStart()
    }

    func stop(grace: Duration) async { recorder.add("stop \(name)") }
  }

  let log = Logger(service: "test", level: .error) { _ in }

  @Test func startsInOrderAndStopsInReverse() async {
    let recorder = Recorder()
    let group = ServiceGroup(
      ["a", "b", "c"].map { Probe(name: $0, recorder: recorder) }, log: log, stopping: { recorder.add("leaving") })
    group.stop()
    #expect(await group.run() == 0)
    let started = recorder.events.prefix { $0.hasPrefix("start") }
    #expect(recorder.events.contains("leaving"))
    #expect(
      recorder.events.filter { $0.hasPrefix("stop") }
        == started.reversed().map { "stop " + $0.dropFirst("start ".count) })
  }

  @Test func aFailedStartStopsWhatHadStartedAndExitsWithOne() async {
    struct Failure: Error {}
    let recorder = Recorder()
    let group = ServiceGroup(
      [
        Probe(name: "a", recorder: recorder), Probe(name: "b", recorder: recorder) { throw Failure() },
        Probe(name: "c", recorder: recorder),
      ], log: log)
    #expect(await group.run() == 1)
    #expect(recorder.events == ["start a", "start b", "stop b", "stop a"])
  }

  @Test func aFailureWhileRunningExitsWithOne() async {
    let recorder = Recorder()
    let group = ServiceGroup([Probe(name: "a", recorder: recorder)], log: log)
    group.fail("disk full")
    #expect(await group.run() == 1)
  }

  @Test func aStartThatWaitsDoesNotOutliveTheRequestToStop() async {
    let recorder = Recorder()
    let waiting = Latch<Void>()
    let group = ServiceGroup(
      [
        Probe(name: "a", recorder: recorder) {
          waiting.set(())
          try await Task.sleep(for: .seconds(600))
        }
      ], log: log)
    async let code = group.run()
    _ = await waiting.wait()
    group.stop()
    #expect(await code == 0)
    #expect(recorder.events == ["start a", "stop a"])
  }
}
