// The thief's address: tells the playground whatever arrives here. Nothing ever should.

const arrived = [...new URLSearchParams(location.search).keys()];
document.getElementById("arrived").textContent = arrived.length ? `It brought: ${arrived.join(", ")}.` : "It brought nothing.";
new BroadcastChannel("proofkey-playground-thief").postMessage(arrived);
history.replaceState(null, "", "/playground/thief");
