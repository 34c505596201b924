import CCurl
import Testing

@testable import HTTP

@Suite struct TransferFactsTests {
  private func error(_ code: CURLcode, sent: Int, began: Bool = false) -> HTTPClientError {
    TransferFacts(code: code, requestBytes: sent, responseBegan: began).error
  }

  @Test func nothingWrittenIsDefinite() {
    for code in [
      CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR, CURLE_OPERATION_TIMEDOUT,
      CURLE_SEND_ERROR, CURLE_URL_MALFORMAT,
    ] {
      #expect(!error(code, sent: 0).requestMayHaveBeenSent)
    }
  }

  @Test func anythingWrittenIsAmbiguous() {
    for code in [
      CURLE_OPERATION_TIMEDOUT, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_ABORTED_BY_CALLBACK,
      CURLE_COULDNT_CONNECT,
    ] {
      #expect(error(code, sent: 1).requestMayHaveBeenSent)
    }
  }

  @Test func timeOutsNameTheirPhase() {
    #expect(error(CURLE_OPERATION_TIMEDOUT, sent: 0).kind == .timedOut(.connect))
    #expect(error(CURLE_OPERATION_TIMEDOUT, sent: 9).kind == .timedOut(.firstByte))
    #expect(error(CURLE_OPERATION_TIMEDOUT, sent: 9, began: true).kind == .timedOut(.response))
  }

  @Test func lossesDependOnWhatWasWritten() {
    #expect(error(CURLE_RECV_ERROR, sent: 9).kind == .resetAfterWrite)
    #expect(error(CURLE_GOT_NOTHING, sent: 9).kind == .resetAfterWrite)
    #expect(error(CURLE_SEND_ERROR, sent: 0).kind == .couldNotConnect)
  }

  @Test func anUnsupportedProtocolIsTheRequestsOrTheAnswers() {
    #expect(error(CURLE_UNSUPPORTED_PROTOCOL, sent: 0).kind == .invalidRequest)
    #expect(error(CURLE_UNSUPPORTED_PROTOCOL, sent: 9).kind == .malformedResponse)
  }
}
