/** Largest value of the columns that each channel feeds; columns without `channelOf`. */
export function largestByChannel(
  byColumn: Float32Array,
  channels: number,
  channelOf?: Int32Array,
): Float32Array {
  if (!channelOf) return byColumn;
  const largest = new Float32Array(channels);
  channelOf.forEach((channel, column) => {
    largest[channel] = Math.max(largest[channel], byColumn[column]);
  });
  return largest;
}

/** Mean of the columns that each channel feeds; without `channelOf` columns are channels. */
export function meanByChannel(
  byColumn: Float32Array,
  channels: number,
  channelOf?: Int32Array,
): Float32Array {
  if (!channelOf) return byColumn;
  const sums = new Float64Array(channels);
  const counts = new Float64Array(channels);
  channelOf.forEach((channel, column) => {
    sums[channel] += byColumn[column];
    counts[channel]++;
  });
  return Float32Array.from(sums, (sum, channel) => sum / Math.max(1, counts[channel]));
}
