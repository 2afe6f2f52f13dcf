import PabalCommand
package import PabalCore
import PabalStorage
package import PabalSubmission

extension OpenStorage {
  /// Queues the mail of a batch under `id`, which no serving process has to be running for, by the rules that
  /// `configuration` has for the programs of this machine.
  package func queue(
    _ batch: [UInt8], id: String, submitter: Submitter, _ configuration: Configuration
  ) async -> SMTPBatch.Result {
    let intake = SubmissionIntake(
      submission(configuration), configuration.serve.localSubmission, configuration)
    return await SMTPBatch.run(batch, SMTPSessionPolicy(), submitter: submitter) {
      var submission = $0
      submission.id = id
      return await intake.submit(submission)
    }
  }
}
