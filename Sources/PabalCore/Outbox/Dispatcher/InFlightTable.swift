/// The mail that this process is delivering, and the slots promised to mail that is on its way.
struct InFlightTable {
  /// A delivery. Its value is the error because of which the outcome could not be stored, if any.
  typealias Delivery = Task<StorageError?, Never>

  private var deliveries: [String: Delivery] = [:]
  // The key of each mail's route.
  private var routes: [String: String] = [:]
  private var leaseRenewal: Task<Void, Never>?
  /// How many slots are promised to mail that has not been started yet.
  private(set) var reservedSlots = 0

  /// How many deliveries are running.
  var count: Int { deliveries.count }

  /// The ids of the mail being delivered.
  var ids: [String] { Array(deliveries.keys) }

  /// A running delivery, or `nil` if there is none.
  var anyDelivery: Delivery? { deliveries.values.first }

  /// Whether a task renews the leases of the mail being delivered.
  var hasLeaseRenewal: Bool { leaseRenewal != nil }

  /// Returns how many more deliveries of `lane` may start while at most `limit` run at once; one slot is
  /// reserved for codes unless there is only one.
  func room(for lane: Lane, limit: Int) -> Int {
    let reservedForCodes = lane == .code || limit < 2 ? 0 : 1
    return max(0, limit - reservedForCodes - deliveries.count - reservedSlots)
  }

  /// Returns how many more deliveries of `lane` and of the routes `keys`, one of `groups` groups, may start: so many that a
  /// slot is left for each of the other groups, but at least half of all. Otherwise mail of a server that doesn't answer
  /// could take all slots until it times out.
  func room(for lane: Lane, of keys: OutboxClaim.Routes, among groups: Int, limit: Int) -> Int {
    let room = room(for: lane, limit: limit)
    guard groups > 1 else { return room }
    let all = lane == .code || limit < 2 ? limit : limit - 1
    let share = max((all + 1) / 2, all - (groups - 1))
    let used = routes.values.count { keys.contains($0) }
    return max(0, min(room, share - used - reservedSlots))
  }

  /// Promises `count` slots.
  mutating func reserve(_ count: Int = 1) { reservedSlots += count }

  /// Takes back the promise of `count` slots.
  mutating func release(_ count: Int = 1) { reservedSlots -= count }

  /// Adds the delivery of the mail `id`, whose route has the key `route`.
  mutating func insert(_ delivery: Delivery, for id: String, _ route: String = "") {
    deliveries[id] = delivery
    routes[id] = route
  }

  /// Removes the delivery of the mail `id`. After the last one the lease renewal is cancelled.
  mutating func remove(_ id: String) {
    deliveries[id] = nil
    routes[id] = nil
    guard deliveries.isEmpty else { return }
    leaseRenewal?.cancel()
    leaseRenewal = nil
  }

  /// Keeps the task that renews the leases until the last delivery ends.
  mutating func setLeaseRenewal(_ task: Task<Void, Never>) { leaseRenewal = task }
}
