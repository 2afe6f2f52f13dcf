import PabalCommand
package import PabalCore
import PabalStorage
package import PabalSubmission

extension OpenStorage {
  /// Queues the mail of a batch under `id`, which no serving process has to be running for.
  package func queue(_ batch: [UInt8], id: String, submitter: Submitter) async -> SMTPBatch.Result {
    let submission = MailSubmission(store: SQLiteVerificationStore(database), keys: keys)
    let intake = SubmissionIntake(submission, hostName: LocalUser.current().domain)
    return await SMTPBatch.run(batch, SMTPSessionPolicy(), submitter: submitter) {
      var submission = $0
      submission.id = id
      return await intake.submit(submission)
    }
  }
}
