import CRMMessaging
import Runtime
import ServiceHost

/// Freezes audiences, expands them into sends, and takes up what got lost on the way.
@main
struct JobExpander {
  static func main() async {
    await ServiceMain.run(.jobExpander) { context in
      let backPressure = SendBackPressure(context)
      let publisher = JobPublisher(context)
      let jobs = CampaignJobHandler(
        freezer: Freezer(context, publisher), expander: ChunkExpander(context, publisher, backPressure),
        store: context.store, publisher: publisher)
      let loop = ConsumerLoop(
        name: "campaign-jobs",
        consumer: try context.consumer(of: .campaignJobs, highWater: 64),
        .init(batch: 1, concurrency: context.settings[CRMSettings.chunkConcurrency] + 1),
        deadLetters: context.deadLetters(of: .campaignJobs), metrics: context.instruments.consumer("campaign-jobs"),
        log: context.log,
        ended: { context.failure.set($0) }, decode: CampaignJobHandler.decode, handle: jobs.handle)
      return [backPressure, loop, Sweeper(context, publisher, backPressure).service(context)]
    }
  }
}
