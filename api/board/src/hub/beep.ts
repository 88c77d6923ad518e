let audio: AudioContext | undefined;

/** Beeps twice, and has the device shake: who scans does not look at the screen. A device may have neither. */
export function beep(): void {
  try {
    navigator.vibrate?.([120, 60, 120]);
    audio ??= new AudioContext();
    void audio.resume();
    for (const after of [0, 0.22]) tone(audio, audio.currentTime + after);
  } catch {
    // the refusal is on the screen
  }
}

function tone(audio: AudioContext, at: number): void {
  const [oscillator, gain] = [audio.createOscillator(), audio.createGain()];
  oscillator.type = "square";
  oscillator.frequency.value = 330;
  gain.gain.value = 0.2;
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(at);
  oscillator.stop(at + 0.16);
}
