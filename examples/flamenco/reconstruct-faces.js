// SPDX-License-Identifier: GPL-3.0-or-later
//
// A job type for Flamenco 3: photos to heads, some photos a task, on workers that have Blender and
// see the same folders.  Put it into the folder "scripts" beside the Flamenco Manager and restart
// that; submit.py, beside this file, sends a job.  What is said of it: docs/cluster.md.

const JOB_TYPE = {
    label: "Reconstruct Faces",
    description: "Textured 3D heads from the photos of a folder.",
    settings: [
        { key: "photos", type: "string", required: true,
          description: "The photos' paths, a line each" },
        { key: "out", type: "string", subtype: "dir_path", required: true,
          description: "The folder for the heads; all workers see it" },
        { key: "script", type: "string", subtype: "file_path", required: true,
          description: "examples/03_folder.py of a copy of Reconstruct Face that all workers see" },
        { key: "python", type: "string", subtype: "file_path", required: true,
          description: "The Python that has the backend's packages" },
        { key: "options", type: "string", default: "",
          description: "Further options of 03_folder.py, a line each: --no-preview" },
        { key: "chunk_size", type: "int32", default: 10, description: "Photos in a task" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    const photos = lines(settings.photos);
    if (photos.length === 0) throw new Error("There is no photo in the setting 'photos'");
    const size = Math.max(1, settings.chunk_size);
    const heads = [];
    for (let start = 0; start < photos.length; start += size) {
        const some = photos.slice(start, start + size);
        const task = author.Task(`heads-${start + 1}-${start + some.length}`, "blender");
        task.addCommand(command(settings, some));
        heads.push(task);
        job.addTask(task);
    }
    // All is finished then and skipped: what is left is the table and the contact sheet of all.
    const summary = author.Task("summary", "blender");
    summary.addCommand(command(settings, photos));
    for (const task of heads) summary.addDependency(task);
    job.addTask(summary);
}

function command(settings, photos) {
    const args = ["--background", "--python-exit-code", "1", "--python", settings.script, "--"];
    return author.Command("exec", {
        exe: "{blender}",
        args: args.concat(photos, ["-o", settings.out, "--python", settings.python],
                          lines(settings.options)),
    });
}

function lines(text) {
    return (text || "").split("\n").map((line) => line.trim()).filter((line) => line);
}
