// A React app under StrictMode, which mounts every component twice and runs every effect twice.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createClient } from "@proofkey/spa";
import { ProofkeyProvider, useProofkey } from "@proofkey/spa/react";

const client = createClient(await (await fetch("/config.json")).json());
window.client = client;
window.targets = [];
window.mounted = 0;

function Greeting() {
  const { status, user, error } = useProofkey();
  if (error) return <p id="state">{String(error.code)}</p>;
  return <p id="state">{status === "signedIn" ? `Hello ${user.name}` : status}</p>;
}

function Mounting() {
  window.mounted++;
  return null;
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <ProofkeyProvider client={client} onSignedIn={({ target }) => window.targets.push(target)}>
      <Mounting />
      <Greeting />
    </ProofkeyProvider>
  </StrictMode>,
);
