// What @http-client-toolkit/store-dynamodb imports of the core package, to the rules that are known of that: its adaptive store only asks this
// calculator, so whatever it writes to the table is the store's own. Capacities may be fractions, as they are there.
export const DEFAULT_RATE_LIMIT = { limit: 60, windowMs: 60_000 };

const DEFAULTS = {
  monitoringWindowMs: 900_000, highActivityThreshold: 10, moderateActivityThreshold: 3, recalculationIntervalMs: 30_000,
  sustainedInactivityThresholdMs: 1_800_000, backgroundPauseOnIncreasingTrend: true, maxUserScaling: 2, minUserReserved: 5,
};

export class AdaptiveCapacityCalculator {
  constructor(config = {}) {
    this.config = { ...DEFAULTS, ...config };
    if (this.config.moderateActivityThreshold >= this.config.highActivityThreshold)
      throw new Error("moderateActivityThreshold must be less than highActivityThreshold");
  }

  getRecentActivity(times) {
    const from = Date.now() - this.config.monitoringWindowMs;
    return times.filter((t) => t > from).length;
  }

  /** The last third of the monitoring window against the third before it. */
  calculateActivityTrend(times) {
    const third = this.config.monitoringWindowMs / 3, now = Date.now();
    const within = (from, to) => times.filter((t) => t > now - from && t <= now - to).length;
    const last = within(third, -1), before = within(2 * third, third);
    if (last === 0 && before === 0) return "none";
    if (last > 1.5 * before) return "increasing";
    return last < 0.5 * before ? "decreasing" : "stable";
  }

  calculateDynamicCapacity(resource, limit, { recentUserRequests, recentBackgroundRequests, userActivityTrend: trend }) {
    const { config } = this, activity = this.getRecentActivity(recentUserRequests);
    const split = (userReserved, reason, backgroundPaused = false) =>
      ({ userReserved, backgroundMax: limit - userReserved, backgroundPaused, reason });
    if (activity >= config.highActivityThreshold) {
      const user = Math.min(0.9 * limit, Math.floor(0.5 * limit * config.maxUserScaling));
      return split(user, "high activity", config.backgroundPauseOnIncreasingTrend && trend === "increasing");
    }
    if (activity >= config.moderateActivityThreshold) {
      const turn = { increasing: 1.2, decreasing: 0.8 }[trend] ?? 1;
      const factor = Math.max(1, Math.min(config.maxUserScaling, 1 + activity / config.highActivityThreshold) * turn);
      return split(Math.min(0.7 * limit, Math.floor(0.4 * limit) * factor), "moderate activity");
    }
    const low = Math.max(Math.floor(0.3 * limit), config.minUserReserved);
    if (activity > 0) return split(low, "low activity");
    if (recentUserRequests.length === 0) return recentBackgroundRequests.length === 0 ? split(low, "nothing yet") : split(config.minUserReserved, "no users");
    const idle = Date.now() - Math.max(...recentUserRequests);
    return idle > config.sustainedInactivityThresholdMs ? split(0, "idle for long") : split(config.minUserReserved, "idle");
  }
}
